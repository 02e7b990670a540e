// Every method of the published client's Images is called somewhere in this suite.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';

import { Cloudflare } from './sdk.mjs';

/** The methods of a resource and of those below it, by the path that a program writes. */
function methods(resource, path) {
  const own = [];
  for (let type = Object.getPrototypeOf(resource); type !== Object.prototype; type = Object.getPrototypeOf(type)) {
    own.push(...Object.getOwnPropertyNames(type).filter((name) => name !== 'constructor'));
  }
  const below = Object.entries(resource).filter(([name]) => !name.startsWith('_'));
  return [...own.map((name) => `${path}.${name}`), ...below.flatMap(([name, child]) => methods(child, `${path}.${name}`))];
}

test('every method of the client is called in this suite', async () => {
  const known = methods(new Cloudflare({ apiToken: 'any' }).images, 'images');
  assert.ok(known.includes('images.v1.create') && known.includes('images.v2.directUploads.create'), String(known));
  const files = (await readdir(new URL('.', import.meta.url))).filter((name) => name.endsWith('.mjs'));
  const texts = await Promise.all(files.map((name) => readFile(new URL(name, import.meta.url), 'utf8')));
  const suite = texts.join('\n');
  assert.deepEqual(known.filter((name) => !suite.includes(`client.${name}(`)), []);
});
