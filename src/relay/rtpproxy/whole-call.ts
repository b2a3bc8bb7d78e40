/** The commands that end a call or ask for it, by what is remembered of its sessions, else by the tags of its parties. */

import type { DeleteRequest, RelayCall } from '../driver.ts';
import { deleteCommand, tagDefect, wordDefect } from './commands.ts';
import { nameOf, readMemo, type Session } from './sessions.ts';

/**
 * The commands that end a call, or one branch of it: two tags at a time, since each ends what either of them opened. None if nobody
 * can name it.
 */
export function deleteCommands({ callId, memo, tags = [], branch }: DeleteRequest): string[] {
  if (!isWord(callId) || !isWord(branch)) return [];
  const sessions = readMemo(memo).filter((session) => branch === undefined || session.branch === branch);
  if (sessions.length === 0)
    return pairs(named(tags)).map((two) => deleteCommand(nameOf(callId, branch ?? ''), two));
  const byBranch = Map.groupBy(sessions, (session) => session.branch);

  return [...byBranch].flatMap(([own, group]) => {
    const openers = [...new Set(group.map(({ opener }) => opener))];
    // The other party may have opened a stream too, and the reply was lost.
    const peers = openers.length === 1 ? group.flatMap(({ peer }) => peer || []).slice(-1) : [];

    return pairs([...openers, ...peers]).map((two) => deleteCommand(nameOf(callId, own), two));
  });
}

/** Tags a session may have; with others none was opened, and what they mean to the daemon is something else. */
function named(tags: readonly string[]): string[] {
  return tags.filter((tag) => tagDefect('tag', tag) === undefined);
}

function isWord(text: string | undefined): boolean {
  return text === undefined || wordDefect('word', text) === undefined;
}

function pairs(tags: readonly string[]) {
  const twos: { offerer: string; answerer: string | undefined }[] = [];
  for (let i = 0; i < tags.length; i += 2) twos.push({ offerer: tags[i] as string, answerer: tags[i + 1] });

  return twos;
}

/** The sessions a question is about; of a call without memo those its parties may have opened. */
export function askedFor({ callId, memo, tags = [] }: RelayCall, fromTag: string | undefined): Session[] {
  if (!isWord(callId)) return [];
  const all = readMemo(memo);
  if (all.length === 0) {
    return named(tags).map((opener) => ({ branch: '', n: 1, opener, peer: '', openerPort: 0, peerPort: 0 }));
  }
  const of = all.filter(({ opener, peer }) => opener === fromTag || peer === fromTag);

  return of.length > 0 ? of : all;
}
