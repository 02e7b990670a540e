// A walk over 2,500 images by tokens: nothing twice, nothing missing, whatever happens meanwhile.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { useServer } from './sdk.mjs';

const COUNT = 2_500;
const AT_ONCE = 16;

const context = useServer(async () => {
  let next = 0;
  const worker = async () => {
    for (let n = next++; n < COUNT; n = next++) {
      await context.upload({ id: `walk/${n}`, creator: `c${n % 10}`, metadata: JSON.stringify({ n, third: n % 3 === 0 }) });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
});
const { account_id } = context;

/** Returns the pages of a walk, as a public client does it: while the token is truthy. */
async function walk(params, between = async () => {}) {
  const pages = [];
  let continuation_token;
  do {
    const page = await context.client.images.v2.list({ account_id, continuation_token, ...params });
    pages.push(page.images);
    continuation_token = page.continuation_token;
    await between(page.images);
  } while (continuation_token);
  return pages;
}

const idsOf = (pages) => pages.flat().map(({ id }) => id);

test('both directions, and each page full but the last', async () => {
  const desc = await walk({});
  assert.deepEqual(desc.map((page) => page.length), [1_000, 1_000, 500]);
  const asc = await walk({ sort_order: 'asc', per_page: 10_000 });
  assert.deepEqual(asc.map((page) => page.length), [1_000, 1_000, 500]);

  const expected = new Set(Array.from({ length: COUNT }, (_, n) => `walk/${n}`));
  assert.deepEqual(new Set(idsOf(asc)), expected);
  assert.equal(idsOf(asc).length, COUNT);
  assert.deepEqual(idsOf(desc), idsOf(asc).reverse());
  const times = asc.flat().map(({ uploaded }) => uploaded);
  assert.deepEqual(times, [...times].sort());
});

test('odd page sizes give the same walk', async () => {
  const whole = idsOf(await walk({}));
  for (const per_page of [97, 625]) {
    const pages = await walk({ per_page });
    assert.deepEqual(idsOf(pages), whole);
    assert.equal(pages.length, Math.ceil(COUNT / per_page), 'no empty page at the end');
  }
});

test('filtered walks are the whole walk, filtered', async () => {
  const whole = (await walk({})).flat();
  const check = async (params, keep) =>
    assert.deepEqual(idsOf(await walk({ per_page: 50, ...params })), whole.filter(keep).map(({ id }) => id));
  await check({ meta: { 'third[eq:boolean]': true } }, ({ meta }) => meta.third);
  await check({ creator: 'c7' }, ({ creator }) => creator === 'c7');
  await check({ creator: 'c7', meta: { 'n[gte]': 100, 'n[lt]': 2_000 } }, ({ creator, meta }) => creator === 'c7' && meta.n >= 100 && meta.n < 2_000);
  await check({ meta: { 'n[in]': '5|55|555|2499|2500' } }, ({ meta }) => [5, 55, 555, 2_499].includes(meta.n));
  await check({ meta: { 'n[eq]': -1 } }, () => false);
});

test('writes during a walk: what stays is seen once, what comes is not seen by desc', async () => {
  const before = idsOf(await walk({}));
  const removed = [];
  let added = 0;
  const pages = await walk({ per_page: 500 }, async (page) => {
    const atCursor = page[page.length - 1].id;
    removed.push(atCursor);
    await context.client.images.v1.delete(atCursor, { account_id });
    await context.upload({ id: `late/${added++}` });
  });
  assert.deepEqual(idsOf(pages), before);
  assert.deepEqual(idsOf(await walk({ per_page: 999 })).slice(added), before.filter((id) => !removed.includes(id)));
});
