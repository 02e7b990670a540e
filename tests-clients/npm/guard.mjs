// The guard: on a folder with 200,000 images, what a page reads depends on the page and not on how many there are.
// Counted by the program's own counters, never timed; then SIGKILL, and the same answers. The test `guard` of the
// crate `darkroom` makes the folder and runs this.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { ACCOUNT_ID, API_TOKEN, startServer } from './server.mjs';
import { Cloudflare, pixelFile } from './sdk.mjs';

const DATA = process.env.DARKROOM_GUARD_DATA;
const COUNT = Number(process.env.DARKROOM_GUARD_IMAGES);
const PAGE = 100;

// How the images were made: crates/darkroom/tests/guard.rs.
const QUESTIONS = {
  'one rare term': { terms: 1, ask: { meta: { 'rare[eq:string]': 'yes' } }, found: COUNT / 20_000 },
  'one common term': { terms: 1, ask: { meta: { 'status[eq:string]': 'active' } }, found: PAGE, more: true },
  'five terms': {
    terms: 5,
    ask: {
      meta: {
        'status[eq:string]': 'active',
        'parity[eq:string]': 'even',
        'region[eq:string]': 'r3',
        'tenth[eq:number]': 8,
        'enabled[eq:boolean]': true,
      },
    },
    found: PAGE,
    more: true,
  },
  'an empty intersection of two halves': {
    terms: 2,
    ask: { meta: { 'parity[eq:string]': 'even', 'other[eq:string]': 'odd' } },
    found: 0,
  },
  'ten of a list': {
    terms: 10,
    ask: { meta: { 'category[in:number]': '1|12|23|34|45|56|67|78|89|90' } },
    found: PAGE,
    more: true,
  },
  'a range of one in a hundred': {
    terms: 0,
    ranges: 1,
    ask: { meta: { 'price[gte:number]': 990 } },
    found: PAGE,
    more: true,
  },
  'a range within a term, to both sides': {
    terms: 1,
    ranges: 2,
    ask: { meta: { 'price[gt]': 100, 'price[lte]': 105.5, 'status[eq:string]': 'pending' } },
    // 101 … 105 of every 1,000, one in ten of them pending.
    found: PAGE,
    more: true,
  },
  'a creator of a thousand scattered images': { terms: 1, ask: { creator: 'user-77' }, found: PAGE, more: true },
};

let server;
let client;

async function start() {
  server = await startServer({ data: DATA, flags: ['--public-url', 'http://images.example'] });
  client = new Cloudflare({ apiToken: API_TOKEN, baseURL: server.baseUrl });
}

before(start);
after(() => server.stop());

/** Returns the counters of pages so far. */
async function counters() {
  const text = await (await fetch(`${server.origin}/metrics`)).text();
  const read = (name) => {
    const line = text.split('\n').find((line) => line.startsWith(`darkroom_catalog_${name}_total `));
    assert.ok(line, `no counter ${name} in\n${text}`);
    return Number(line.split(' ')[1]);
  };
  const names = ['records_read', 'hash_mismatches', 'blocks_read', 'containers_read', 'columns_read'];
  return Object.fromEntries([...names, 'chunks_visited', 'segments_visited'].map((name) => [name, read(name)]));
}

/** Asks, and checks what the answer took. */
async function ask(name, sort_order = 'desc') {
  const { terms, ranges = 0, ask, found, more = false } = QUESTIONS[name];
  const earlier = await counters();
  const page = await client.images.v2.list({ account_id: ACCOUNT_ID, per_page: PAGE, sort_order, ...ask });
  const later = await counters();
  const took = Object.fromEntries(Object.keys(later).map((key) => [key, later[key] - earlier[key]]));
  const told = `${name}, ${sort_order}: ${page.images.length} images, ${JSON.stringify(took)}`;
  console.log(told);

  assert.equal(page.images.length, found, told);
  assert.equal(page.continuation_token !== null, more, told);
  const { records_read, blocks_read, containers_read, columns_read, chunks_visited, segments_visited } = took;
  assert.ok(records_read <= found + 1, `records: ${told}`);
  assert.equal(took.hash_mismatches, 0, told);
  assert.ok(blocks_read <= terms * segments_visited, `blocks: ${told}`);
  assert.ok(containers_read <= terms * chunks_visited, `large containers: ${told}`);
  assert.ok(columns_read <= ranges * chunks_visited, `columns: ${told}`);
  return page;
}

test('an upload through the client comes first in every listing that it matches', async () => {
  const metadata = { status: 'active', parity: 'even', other: 'even', region: 'r3', tenth: 8, enabled: true, rare: 'no', category: 1, price: 995 };
  await client.images.v1.create({
    account_id: ACCOUNT_ID,
    id: 'the newest',
    file: pixelFile(),
    creator: 'user-77',
    metadata: JSON.stringify(metadata),
  });
  for (const name of ['one common term', 'five terms', 'ten of a list', 'a range of one in a hundred', 'a creator of a thousand scattered images']) {
    const page = await ask(name);
    assert.equal(page.images[0].id, 'the newest', name);
  }
});

test('after SIGKILL every answer is the same', async () => {
  // The newest are partly in memory, the oldest in the largest segments.
  const askAll = async () => {
    const pages = [];
    for (const sort_order of ['desc', 'asc']) {
      for (const name of Object.keys(QUESTIONS)) pages.push(await ask(name, sort_order));
    }
    return pages;
  };
  const answers = await askAll();
  await server.kill();
  await start();
  assert.deepEqual(await askAll(), answers);
});
