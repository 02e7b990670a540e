// What an account has besides images: variants, signing keys, usage; and list v1.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Cloudflare, refused, useServer } from './sdk.mjs';

const context = useServer();
const { account_id } = context;
const badRequest = { type: Cloudflare.BadRequestError, status: 400, code: 5400 };
const notFound = { type: Cloudflare.NotFoundError, status: 404, code: 5404 };
const options = { fit: 'cover', width: 100, height: 50, metadata: 'none' };

test('variants are made, seen, edited and deleted', async () => {
  const image = await context.upload();
  const names = async () => {
    const { variants: urls } = await context.client.images.v1.get(image.id, { account_id });
    return urls.map((url) => url.split('/').pop());
  };

  const { variant } = await context.client.images.v1.variants.create({ account_id, id: 'hero', options, neverRequireSignedURLs: true });
  assert.deepEqual(variant, { id: 'hero', options, neverRequireSignedURLs: true });
  assert.deepEqual(await names(), ['hero', 'public']);
  assert.deepEqual((await context.client.images.v1.variants.get('hero', { account_id })).variant, variant);
  const listed = (await context.client.images.v1.variants.list({ account_id })).variants;
  assert.deepEqual(Object.keys(listed), ['hero', 'public']);
  assert.deepEqual(listed.hero, variant);

  const edited = await context.client.images.v1.variants.edit('hero', { account_id, options: { ...options, width: 200 } });
  assert.deepEqual(edited.variant, { ...variant, options: { ...options, width: 200 } });
  assert.deepEqual(await context.client.images.v1.variants.delete('hero', { account_id }), {});
  assert.deepEqual(await names(), ['public']);
});

test('variants that cannot be', async () => {
  const create = (params) => () => context.client.images.v1.variants.create({ account_id, id: 'a', options, ...params });
  await refused(context, create({ id: 'w=5' }), { ...badRequest, pointer: '/id' });
  await refused(context, create({ options: { ...options, fit: 'fill' } }), { ...badRequest, pointer: '/options/fit' });
  await refused(context, create({ options: { ...options, width: 0 } }), { ...badRequest, pointer: '/options/width' });
  await refused(context, create({ id: 'public' }), { type: Cloudflare.ConflictError, status: 409, code: 5409 });
  await refused(context, () => context.client.images.v1.variants.delete('public', { account_id }), badRequest);
  const message = 'Variant not found';
  await refused(context, () => context.client.images.v1.variants.get('nothing', { account_id }), { ...notFound, message });
  await refused(context, () => context.client.images.v1.variants.edit('nothing', { account_id, options }), { ...notFound, message });
  await refused(context, () => context.client.images.v1.variants.delete('nothing', { account_id }), { ...notFound, message });
});

test('signing keys come and go', async () => {
  const first = (await context.client.images.v1.keys.list({ account_id })).keys;
  assert.deepEqual(first.map(({ name }) => name), ['default']);
  const two = (await context.client.images.v1.keys.update('second', { account_id })).keys;
  assert.deepEqual(two.map(({ name }) => name), ['default', 'second']);
  assert.deepEqual((await context.client.images.v1.keys.update('second', { account_id })).keys, two, 'repeating changes nothing');
  assert.deepEqual((await context.client.images.v1.keys.delete('second', { account_id })).keys, first);
  await refused(context, () => context.client.images.v1.keys.delete('second', { account_id }), { ...notFound, message: 'Key not found' });
  await refused(context, () => context.client.images.v1.keys.update('a/b', { account_id }), badRequest);
  const replaced = (await context.client.images.v1.keys.delete('default', { account_id })).keys;
  assert.deepEqual(replaced.map(({ name }) => name), ['default']);
  assert.notEqual(replaced[0].value, first[0].value);
});

test('images are counted', async () => {
  const before = (await context.client.images.v1.stats.get({ account_id })).count;
  await context.upload();
  const after = (await context.client.images.v1.stats.get({ account_id })).count;
  assert.deepEqual(after, { current: before.current + 1, allowed: before.allowed });
});

test('list v1 answers with numbered pages', async () => {
  for (const id of ['one', 'two', 'three']) await context.upload({ id, creator: 'lister' });
  const page = await context.client.images.v1.list({ account_id, creator: 'lister', per_page: 2 });
  // The client looks for `items`, which the API does not have; its page shows what came.
  assert.deepEqual(page.result.images.map(({ id }) => id), ['three', 'two']);
  assert.deepEqual(page.result_info, { page: 1, per_page: 2, count: 2, total_count: 3, total_pages: 2 });
  const last = await context.client.images.v1.list({ account_id, creator: 'lister', per_page: 2, page: 2 });
  assert.deepEqual(last.result.images.map(({ id }) => id), ['one']);
  await refused(context, () => context.client.images.v1.list({ account_id, per_page: 0 }), { ...badRequest, pointer: '/query/per_page' });
});
