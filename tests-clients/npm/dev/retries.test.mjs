// The published client's own retries, against faults that it asked for (docs/dev.md).

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { API_TOKEN } from '../server.mjs';
import { Cloudflare, pixelFile, useServer } from '../sdk.mjs';

const context = useServer();
const { account_id } = context;
const upload = (client, params = {}) => client.images.v1.create({ account_id, file: pixelFile(), ...params });
const dev = async (method, call, body) => {
  const answer = await fetch(`${context.origin}/dev/${call}`, { method, body: body && JSON.stringify(body) });
  const { success, result, errors } = await answer.json();
  assert.ok(success, JSON.stringify(errors));
  return result;
};
const fault = (body) => dev('POST', 'faults', body);

beforeEach(async () => {
  await dev('POST', 'reset');
  context.requests.length = 0;
});

for (const [name, asked] of [
  ['429', { status: 429, retry_after_seconds: 1 }],
  ['500', { status: 500 }],
  ['503', { status: 503, times: 2 }],
  ['a connection that is cut off', { cut_off: 'before_call' }],
]) {
  test(`an upload succeeds after ${name}`, async () => {
    await fault({ call: 'upload_image', ...asked });
    const { id } = await upload(context.client);
    assert.deepEqual(await context.ids(), [id]);
    assert.equal(context.requests.filter(({ method }) => method === 'POST').length, (asked.times ?? 1) + 1);
    const { requests } = await dev('GET', 'requests');
    const statuses = requests.filter(({ method }) => method === 'POST').map(({ status }) => status);
    assert.deepEqual(statuses, [...Array(asked.times ?? 1).fill(asked.status ?? null), 200]);
  });
}

test('429 is waited for as long as it says', async () => {
  await fault({ status: 429, retry_after_seconds: 2 });
  const began = Date.now();
  await context.ids();
  assert.ok(Date.now() - began >= 2_000);
});

test('an answer that is later than the client waits is asked for again', async () => {
  await fault({ delay_ms: 5_000 });
  const hasty = context.connect({ apiToken: API_TOKEN, timeout: 500 });
  const began = Date.now();
  await upload(hasty);
  assert.ok(Date.now() - began < 5_000);
  // What was late had been done all the same: an upload without an id of its own is there twice.
  assert.equal((await context.ids()).length, 2);
});

test('an upload whose answer was lost is refused when it is repeated under its id', async () => {
  await fault({ call: 'upload_image', cut_off: 'before_answer' });
  await assert.rejects(upload(context.client, { id: 'once' }), Cloudflare.ConflictError);
  assert.deepEqual(await context.ids(), ['once']);
});

test('whoever asks for no retries gets the error', async () => {
  const strict = context.connect({ apiToken: API_TOKEN, maxRetries: 0 });
  await fault({ status: 429 });
  await assert.rejects(upload(strict), Cloudflare.RateLimitError);
  await fault({ cut_off: 'before_call' });
  await assert.rejects(upload(strict), Cloudflare.APIConnectionError);
  await fault({ cut_off: 'in_answer' });
  await assert.rejects(strict.images.v1.stats.get({ account_id }));
  assert.equal(context.requests.length, 3);
});
