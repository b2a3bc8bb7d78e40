import { expect, test } from 'bun:test';
import { KeyLines } from '../../../src/config/lines.ts';

const TOML = `# [not.a.table]
top = 1

[http] # comment with "quote
listen = "a # b"
hosts = [ # first
  "x]", 'y', # [no]
  "z",
]
text = """
fake = 1
[fake]
"""""
"quoted key" = { a = 1, b = "}" }
media.budget_ms = 3

[ sides . "carrier-2" ]
networks = []
path = 'C:\\'
last = 1
`;

test.each([
  [['top'], 2],
  [['http'], 4],
  [['http', 'listen'], 5],
  [['http', 'hosts'], 6],
  [['http', 'text'], 10],
  [['http', 'quoted key'], 14],
  [['http', 'quoted key', 'a'], 14],
  [['http', 'media', 'budget_ms'], 15],
  [['sides', 'carrier-2'], 17],
  [['sides', 'carrier-2', 'networks'], 18],
  [['sides', 'carrier-2', 'last'], 20],
])('the line of %p is %i', (path, line) => {
  expect(new KeyLines(TOML).of(path)).toBe(line);
});

test('a key inside a text is none, and an unknown key has the line of its table', () => {
  const lines = new KeyLines(TOML);
  expect(lines.of(['fake'])).toBe(1);
  expect(lines.of(['http', 'fake'])).toBe(4);
});

test('a text that ends in the middle is walked to its end', () => {
  for (let length = 0; length < TOML.length; length++) new KeyLines(TOML.slice(0, length));
});
