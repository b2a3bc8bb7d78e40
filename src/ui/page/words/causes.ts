/** What the service says of why it thinks something of a node (`src/domain/health.ts`), in Chinese; a test compares. */

/** `$1` is a number, or words that stay as they are. */
export const CAUSES: readonly (readonly [pattern: RegExp, zh: string])[] = [
  [/^not checked yet$/, '尚未检查'],
  [/^answered a check$/, '应答了检查'],
  [/^answered a call$/, '应答了呼叫'],
  [/^answered (\d+) checks$/, '连续应答 $1 次检查'],
  [/^answered a check too late$/, '应答检查过慢'],
  [/^a check without reply$/, '一次检查无应答'],
  [/^(\d+) checks without reply$/, '$1 次检查无应答'],
  [/^a call without reply$/, '一次呼叫请求无应答'],
  [/^(\d+) calls in a row without reply, but checks are answered$/, '连续 $1 次呼叫请求无应答，但检查有应答'],
  [/^nobody listens at its port$/, '端口无人监听'],
  [/^its ejection is over$/, '剔除期已结束'],
  [/^a test call had audio$/, '测试呼叫有声'],
  [/^there are no test calls any more$/, '已不再进行测试呼叫'],
  [/^\d+ test calls in a row without audio: (.*)$/, '连续测试呼叫无声：$1'],
];
