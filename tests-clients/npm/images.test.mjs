// One image: details, edit, delete, its bytes, its URLs; and the token.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { API_TOKEN } from './server.mjs';
import { Cloudflare, PIXEL, photo, pngSize, refused, useServer } from './sdk.mjs';

const context = useServer();
const { account_id } = context;
const notFound = { type: Cloudflare.NotFoundError, status: 404, code: 5404, message: 'Image not found' };

test('ids with every kind of character come back through the path', async () => {
  for (const id of ['a/b c', 'cats/tabby.png', '100%', 'a+b', 'naïve/café ☕', 'a?b#c', 'a%2Fb', "it's (1)", 'q=1&w=2', 'x'.repeat(1_024)]) {
    const uploaded = await context.upload({ id });
    assert.equal(uploaded.id, id);
    assert.deepEqual(await context.client.images.v1.get(id, { account_id }), uploaded);
    const blob = await context.client.images.v1.blobs.get(id, { account_id });
    assert.deepEqual(Buffer.from(await blob.arrayBuffer()), PIXEL);
    const [url] = uploaded.variants;
    const delivered = await fetch(url);
    assert.equal(delivered.status, 200, url);
    assert.deepEqual(pngSize(await delivered.arrayBuffer()), [1, 1]);
    assert.deepEqual(await context.client.images.v1.delete(id, { account_id }), {});
  }
});

test('an edit replaces what it names and nothing else', async () => {
  const image = await context.upload({ id: 'edited', creator: 'ann', metadata: '{"a":1,"b":{"c":2}}' });
  const edit = (params) => context.client.images.v1.edit('edited', { account_id, ...params });

  assert.deepEqual(await edit({}), image, '{} changes nothing');
  assert.deepEqual(await edit({ metadata: { b: 5, flag: true } }), { ...image, meta: { b: 5, flag: true } });
  assert.deepEqual((await edit({ creator: 'bob' })).creator, 'bob');
  assert.deepEqual((await edit({ metadata: {} })).meta, {});
  const cleared = await edit({ creator: '' });
  assert.equal('creator' in cleared, false);
  assert.deepEqual((await edit({ requireSignedURLs: false })).requireSignedURLs, false);
  assert.deepEqual(await context.client.images.v1.get('edited', { account_id }), cleared);
});

test('an edit can make an image private, and public again, under the same id', async () => {
  const { id } = await context.upload();
  for (const requireSignedURLs of [true, false]) {
    const edited = await context.client.images.v1.edit(id, { account_id, requireSignedURLs });
    assert.deepEqual([edited.id, edited.requireSignedURLs], [id, requireSignedURLs]);
  }
});

test('edits that cannot be', async () => {
  await context.upload({ id: 'stays', metadata: '{"a":1}' });
  const before = await context.client.images.v1.get('stays', { account_id });
  const edit = (params) => () => context.client.images.v1.edit('stays', { account_id, ...params });
  const badRequest = { type: Cloudflare.BadRequestError, status: 400, code: 5400 };
  await refused(context, edit({ creator: 5 }), { ...badRequest, pointer: '/creator' });
  await refused(context, edit({ metadata: 'text' }), { ...badRequest, pointer: '/metadata' });
  await refused(context, edit({ metadata: [1] }), { ...badRequest, pointer: '/metadata' });
  await refused(context, edit({ requireSignedURLs: 'yes' }), { ...badRequest, pointer: '/requireSignedURLs' });
  await refused(context, edit({ requireSignedURLs: true }), { ...badRequest, code: 5410 });
  assert.deepEqual(await context.client.images.v1.get('stays', { account_id }), before);
});

test('what is deleted is gone at once, and its id is free', async () => {
  const image = await context.upload({ id: 'gone' });
  assert.deepEqual(await context.client.images.v1.delete('gone', { account_id }), {});
  await refused(context, () => context.client.images.v1.get('gone', { account_id }), notFound);
  await refused(context, () => context.client.images.v1.edit('gone', { account_id, creator: 'a' }), notFound);
  await refused(context, () => context.client.images.v1.delete('gone', { account_id }), notFound);
  await refused(context, () => context.client.images.v1.blobs.get('gone', { account_id }), notFound);
  assert.equal((await fetch(image.variants[0])).status, 404);
  assert.equal((await context.ids()).includes('gone'), false);
  assert.equal((await context.upload({ id: 'gone' })).id, 'gone');
});

test('the blob is the file, to the last byte, for private images too', async () => {
  const file = await photo('chelsea.png');
  const { id } = await context.upload({ file: new File([file], 'chelsea.png'), requireSignedURLs: true });
  const blob = await context.client.images.v1.blobs.get(id, { account_id });
  assert.equal(blob.headers.get('content-type'), 'image/png');
  assert.equal(blob.headers.get('content-length'), String(file.length));
  assert.match(blob.headers.get('etag'), /^"[^"]+"$/);
  assert.deepEqual(Buffer.from(await blob.arrayBuffer()), file);
});

test('the URL in variants delivers the file', async () => {
  const file = await photo('rocket.jpg');
  const { variants } = await context.upload({ file: new File([file], 'rocket.jpg') });
  const delivered = await fetch(variants[0]);
  assert.equal(delivered.status, 200);
  assert.equal(delivered.headers.get('content-type'), 'image/jpeg');
  assert.equal(delivered.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(delivered.headers.get('cache-control'), 'public, max-age=172800, stale-while-revalidate=7200');
  const rendition = Buffer.from(await delivered.arrayBuffer());
  assert.deepEqual([...rendition.subarray(0, 3)], [0xff, 0xd8, 0xff], 'a JPEG');

  const etag = delivered.headers.get('etag');
  const again = await fetch(variants[0], { headers: { 'if-none-match': etag } });
  assert.equal(again.status, 304);
  assert.equal(again.headers.get('etag'), etag);
  const head = await fetch(variants[0], { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.headers.get('content-length'), String(rendition.length));
  assert.equal((await head.arrayBuffer()).byteLength, 0);
});

test('what may not be delivered says why', async () => {
  const { variants } = await context.upload({ requireSignedURLs: true });
  const open = await context.upload();
  const cases = [
    [variants[0], 403, 9425],
    [open.variants[0].replace('/public', '/thumbnail'), 403, 9425],
    [open.variants[0].replace('/public', '/width=50'), 403, 9429],
    [open.variants[0].replace(open.id, 'nobody'), 404, 9404],
    [open.variants[0].replace(/\/\/([^/]+)\/[^/]+/, '//$1/AnotherHash'), 403, 9427],
    [open.variants[0] + '/', 404, 9431],
  ];
  for (const [url, status, code] of cases) {
    const answer = await fetch(url);
    assert.equal(answer.status, status, url);
    assert.equal(answer.headers.get('cf-images'), `err=${code}`);
    assert.match(answer.headers.get('content-type'), /^text\/plain/);
    assert.match(await answer.text(), new RegExp(`^ERROR ${code}: `));
  }
});

test('the token is verified', async () => {
  const verified = await context.client.user.tokens.verify();
  assert.equal(verified.status, 'active');
  assert.match(verified.id, /^\S+$/);
  const stranger = context.connect({ apiToken: 'some-other-token-that-is-unknown' });
  await refused(context, () => stranger.user.tokens.verify(), {
    type: Cloudflare.AuthenticationError,
    status: 401,
    code: 1000,
    message: 'Invalid API Token',
  });
});

test('who may not is told so, once', async () => {
  const list = (client, options) => () => client.images.v2.list({ account_id }, options);
  const forbidden = { type: Cloudflare.PermissionDeniedError, status: 403 };
  const badRequest = { type: Cloudflare.BadRequestError, status: 400 };

  const stranger = context.connect({ apiToken: 'some-other-token-that-is-unknown' });
  await refused(context, list(stranger), { ...forbidden, code: 9109, message: 'Invalid access token' });
  const garbled = await refused(context, list(context.connect({ apiToken: 'not a token!' })), {
    ...badRequest,
    code: 6003,
    message: 'Invalid request headers',
  });
  assert.equal(garbled.errors[0].error_chain[0].code, 6111);
  const silent = list(context.client, { headers: { authorization: null } });
  await refused(context, silent, { ...badRequest, code: 9106 });
  const elsewhere = () => context.client.images.v2.list({ account_id: 'ffffffffffffffffffffffffffffffff' });
  await refused(context, elsewhere, { ...forbidden, code: 5403, pointer: '/path/account_id' });
});

test('a token of ours is accepted as a key, with any address', async () => {
  const client = context.connect({ apiToken: null, apiKey: API_TOKEN, apiEmail: 'someone@example.com' });
  assert.equal((await client.user.tokens.verify()).status, 'active');
});
