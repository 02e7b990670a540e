// Renditions that are kept already, against nginx with the same bytes in a file: requests per second and p99, in turn.
//
// node cached.mjs BINARY SOURCES OUTPUT; needs nginx and wrk. DARKROOM_BENCH_ROUNDS makes it shorter.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { median, write } from './report.mjs';
import * as servers from './servers.mjs';

const [, , binary, folder, output] = process.argv;
const ROUNDS = Number(process.env.DARKROOM_BENCH_ROUNDS ?? 7);
const CONCURRENCY = [1, 16, 64];
const SECONDS = 3;

const ROWS = [
  { file: 'small.jpg', name: '400 px, JPEG', width: 400, darkroom: 'format=jpeg' },
  { file: 'large.webp', name: '1200 px, WebP', width: 1200, darkroom: 'format=webp' },
];

// wrk writes its summary through this.
const SCRIPT = `function done(summary, latency)
  local errors = summary.errors
  io.stderr:write(string.format('{"perSecond":%f,"p50":%f,"p99":%f,"errors":%d}', summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
`;

const scratch = await mkdtemp(join(tmpdir(), 'darkroom-bench-'));
const script = join(scratch, 'summary.lua');
await writeFile(script, SCRIPT);

async function load(url, concurrency) {
  const words = ['-t1', `-c${concurrency}`, `-d${SECONDS}s`, '-s', script, url];
  const { stderr } = await promisify(execFile)('wrk', words);
  const summary = JSON.parse(stderr);
  if (summary.errors > 0) throw new Error(`${url}: ${stderr}`);
  return summary;
}

const running = [];
try {
  const www = join(scratch, 'www');
  await mkdir(www);
  const darkroom = await servers.darkroom({ binary, folder, data: join(scratch, 'data'), sources: ['bird12.jpg'] });
  running.push(darkroom);
  const nginx = await servers.nginx({ folder: www, scratch });
  running.push(nginx);
  const lines = [
    '| rendition | connections | program | requests per second | Darkroom’s / this | median ms | p99 ms | Darkroom’s p99 / this |',
    '|---|--:|---|--:|--:|--:|--:|--:|',
  ];
  for (const row of ROWS) {
    const url = darkroom.ask('bird12.jpg', row, 0);
    const bytes = Buffer.from(await (await fetch(url)).arrayBuffer());
    await writeFile(join(www, row.file), bytes);
    const same = Buffer.from(await (await fetch(nginx.ask(row.file))).arrayBuffer());
    if (!same.equals(bytes)) throw new Error('nginx serves something else');
    for (const concurrency of CONCURRENCY) {
      const rounds = [];
      for (let index = 0; index < ROUNDS; index += 1) {
        rounds.push({ ours: await load(url, concurrency), theirs: await load(nginx.ask(row.file), concurrency) });
      }
      const of = (side, what) => median(rounds.map((round) => round[side][what]));
      const ratio = (what) => median(rounds.map(({ ours, theirs }) => ours[what] / theirs[what])).toFixed(2);
      const cells = (side) => [of(side, 'p50').toFixed(2), of(side, 'p99').toFixed(2)];
      const [ours, theirs] = [cells('ours'), cells('theirs')];
      const size = `${row.name}, ${bytes.length} bytes`;
      lines.push(`| ${size} | ${concurrency} | Darkroom | ${of('ours', 'perSecond').toFixed(0)} |  | ${ours[0]} | ${ours[1]} |  |`);
      lines.push(`|  |  | nginx | ${of('theirs', 'perSecond').toFixed(0)} | ${ratio('perSecond')} | ${theirs[0]} | ${theirs[1]} | ${ratio('p99')} |`);
      console.log(lines.slice(-2).join('\n'));
    }
  }
  const machine = `${cpus()[0].model}, ${availableParallelism()} cores shared with the client`;
  await write(output, 'cached', `On ${new Date().toISOString().slice(0, 10)}, ${machine}; ${ROUNDS} rounds of ${SECONDS} s, the programs in turn;
ratios are medians of the rounds (goals: 0.6 of the requests; with 64 connections a p99 of at most 2.0).

${lines.join('\n')}`);
} finally {
  for (const server of running) server.stop();
  await rm(scratch, { recursive: true, force: true });
}
