// List v2: what the client really puts on the wire, and what comes back.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Cloudflare, refused, useServer } from './sdk.mjs';

const context = useServer(async () => {
  for (const [id, params] of Object.entries(IMAGES)) await context.upload({ id, ...params });
});
const { account_id } = context;
const list = (params) => context.client.images.v2.list({ account_id, ...params });

const IMAGES = {
  one: { creator: 'ann', metadata: '{"status":"active","priority":5,"enabled":true,"region":{"name":"eu"},"label":"a|b c"}' },
  two: { creator: 'bob', metadata: '{"status":"pending","priority":"5","enabled":"true","region":"us","label":"1+1 = 2"}' },
  three: { metadata: '{"status":"deleted","priority":7,"enabled":false,"tags":["a","b"],"label":"naïve café +1"}' },
  four: { creator: 'ann', metadata: { status: 'active', priority: 9 } },
  five: {},
};

/** Expects this query string and these ids. */
async function check(params, query, ids) {
  context.requests.length = 0;
  assert.deepEqual(await context.ids(params), ids);
  assert.equal(context.requests[0].query, query);
}

test('a page, whole', async () => {
  const page = await list({});
  assert.deepEqual(Object.keys(page).sort(), ['continuation_token', 'images']);
  assert.equal(page.continuation_token, null);
  assert.deepEqual(page.images.map(({ id }) => id), ['five', 'four', 'three', 'two', 'one']);
  assert.deepEqual(page.images[4], await context.client.images.v1.get('one', { account_id }));
});

test('brackets, colons, pipes, spaces and plus signs arrive encoded', async () => {
  await check({ meta: { 'status[eq]': 'active' } }, 'meta.status%5Beq%5D=active', ['four', 'one']);
  await check({ meta: { 'status[eq:string]': 'active' } }, 'meta.status%5Beq%3Astring%5D=active', ['four', 'one']);
  await check({ meta: { 'label[eq]': 'a|b c' } }, 'meta.label%5Beq%5D=a%7Cb%20c', ['one']);
  await check({ meta: { 'label[eq]': '1+1 = 2' } }, 'meta.label%5Beq%5D=1%2B1%20%3D%202', ['two']);
  await check(
    { meta: { 'label[eq]': 'naïve café +1' } },
    'meta.label%5Beq%5D=na%C3%AFve%20caf%C3%A9%20%2B1',
    ['three'],
  );
  await check({ meta: { 'status[in]': 'pending|deleted' } }, 'meta.status%5Bin%5D=pending%7Cdeleted', ['three', 'two']);
});

test('numbers and booleans are decimal text and words', async () => {
  await check({ meta: { 'priority[eq:number]': 5 } }, 'meta.priority%5Beq%3Anumber%5D=5', ['one']);
  await check({ meta: { 'priority[eq]': 5 } }, 'meta.priority%5Beq%5D=5', ['two', 'one']);
  await check({ meta: { 'priority[eq:string]': '9' } }, 'meta.priority%5Beq%3Astring%5D=9', ['four']);
  await check({ meta: { 'priority[gte:number]': 5.5 } }, 'meta.priority%5Bgte%3Anumber%5D=5.5', ['three']);
  await check({ meta: { 'enabled[eq:boolean]': true } }, 'meta.enabled%5Beq%3Aboolean%5D=true', ['one']);
  await check({ meta: { 'enabled[eq]': true } }, 'meta.enabled%5Beq%5D=true', ['two', 'one']);
  await check({ meta: { 'enabled[eq:boolean]': false } }, 'meta.enabled%5Beq%3Aboolean%5D=false', ['three']);
});

test('a nested object is a dotted path', async () => {
  await check({ meta: { region: { 'name[eq]': 'eu' } } }, 'meta.region.name%5Beq%5D=eu', ['one']);
});

test('an array value is two filters, not a list', async () => {
  await check(
    { meta: { 'status[in]': ['active', 'pending'] } },
    'meta.status%5Bin%5D=active&meta.status%5Bin%5D=pending',
    [],
  );
  await check({ meta: { 'priority[gt]': [4, 6] } }, 'meta.priority%5Bgt%5D=4&meta.priority%5Bgt%5D=6', ['three']);
});

test('an empty or null creator is one that is not set', async () => {
  await check({ creator: '' }, 'creator=', ['five', 'three']);
  await check({ creator: null }, 'creator=', ['five', 'three']);
  await check({ creator: 'ann' }, 'creator=ann', ['four', 'one']);
  await check({ creator: undefined }, '', ['five', 'four', 'three', 'two', 'one']);
});

test('a null token is the first page', async () => {
  await check({ continuation_token: null }, 'continuation_token=', ['five', 'four', 'three', 'two', 'one']);
  await check({ per_page: null, sort_order: null }, 'per_page=&sort_order=', ['five', 'four', 'three', 'two', 'one']);
});

test('filters, creator, order and size together', async () => {
  await check(
    { sort_order: 'asc', per_page: 1, creator: 'ann', meta: { 'status[eq]': 'active' } },
    'sort_order=asc&per_page=1&creator=ann&meta.status%5Beq%5D=active',
    ['one'],
  );
  const first = await list({ sort_order: 'asc', per_page: 1, creator: 'ann' });
  assert.match(first.continuation_token, /^[A-Za-z0-9_-]+$/);
  const second = await list({ sort_order: 'asc', creator: 'ann', continuation_token: first.continuation_token });
  assert.deepEqual([second.images.map(({ id }) => id), second.continuation_token], [['four'], null]);
});

test('what is shaped like a filter and is none is refused, not ignored', async () => {
  const badRequest = { type: Cloudflare.BadRequestError, status: 400, code: 5400 };
  const cases = [
    [{ status: { eq: 'active' } }, "Invalid metadata filter: 'meta.status.eq'", '/query/meta.status.eq'],
    [{ status: 'active' }, "Invalid metadata filter: 'meta.status'", '/query/meta.status'],
    [{ '<field>[<operator>]': 'x' }, "Invalid metadata filter field name: '<field>'", '/query/meta.<field>[<operator>]'],
    [{ 'status[not-eq]': 'x' }, "Unsupported metadata filter operator: 'not-eq'", '/query/meta.status[not-eq]'],
    [{ 'priority[gt]': 'x' }, "Invalid number value for metadata filter operator 'gt': 'x'", '/query/meta.priority[gt]'],
    [
      { 'a[eq]': 1, 'b[eq]': 1, 'c[eq]': 1, 'd[eq]': 1, 'e[eq]': 1, 'f[eq]': 1 },
      'Too many metadata filters: 6 provided, maximum 5 allowed',
      '/query',
    ],
  ];
  for (const [meta, message, pointer] of cases) {
    const error = await refused(context, () => list({ meta }), { ...badRequest, message, pointer });
    assert.match(error.errors[0].documentation_url, /^https:\/\//);
  }
  await refused(context, () => list({ per_page: 0 }), { ...badRequest, message: "Invalid per_page: '0'" });
  await refused(context, () => list({ sort_order: 'DESC' }), { ...badRequest, message: "Invalid sort_order: 'DESC'" });
  await refused(context, () => list({ creator: 'x'.repeat(1_025) }), badRequest);
});

test('a token of another question is refused', async () => {
  const badToken = {
    type: Cloudflare.BadRequestError,
    status: 400,
    code: 5400,
    message: 'Invalid continuation_token',
    pointer: '/query/continuation_token',
  };
  const { continuation_token } = await list({ per_page: 1 });
  for (const params of [
    { continuation_token, sort_order: 'asc' },
    { continuation_token, creator: 'ann' },
    { continuation_token, meta: { 'status[eq]': 'active' } },
    { continuation_token: 'nonsense' },
    { continuation_token: continuation_token.slice(0, -1) },
  ]) {
    await refused(context, () => list(params), badToken);
  }
  assert.equal((await list({ continuation_token, per_page: 2 })).images.length, 2, 'the size of the page may change');
});

test('an edit is found by what it says now', async () => {
  await context.upload({ id: 'six', metadata: '{"status":"draft"}' });
  await context.client.images.v1.edit('six', { account_id, metadata: { status: 'final', n: 3 }, creator: 'eve' });
  assert.deepEqual(await context.ids({ meta: { 'status[eq]': 'draft' } }), []);
  assert.deepEqual(await context.ids({ meta: { 'status[eq]': 'final', 'n[lte]': 3 }, creator: 'eve' }), ['six']);
  await context.client.images.v1.delete('six', { account_id });
  assert.deepEqual(await context.ids({ creator: 'eve' }), []);
});
