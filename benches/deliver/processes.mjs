// CPU time and memory of a process and all its descendants, as Linux tells them.

import { readdirSync, readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK']));

/** The fields of /proc/{pid}/stat behind the name, which may hold spaces. */
function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(fields[1]), ticks: [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) };
  } catch {
    return undefined;
  }
}

function tree(root) {
  const all = new Map();
  for (const name of readdirSync('/proc')) {
    const found = /^\d+$/.test(name) && stat(Number(name));
    if (found) all.set(Number(name), found);
  }
  const family = new Set([root]);
  for (let grown = true; grown;) {
    grown = false;
    for (const [pid, { parent }] of all) {
      if (family.has(parent) && !family.has(pid)) {
        family.add(pid);
        grown = true;
      }
    }
  }
  return [...family].filter((pid) => all.has(pid)).map((pid) => ({ pid, ...all.get(pid) }));
}

/** Seconds of CPU that the process, its descendants and those that have ended have used. */
export function cpuSeconds(root) {
  return tree(root).reduce((sum, { ticks }) => sum + ticks, 0) / TICKS_PER_SECOND;
}

/** Bytes that all of them held at most, added up. */
export function peakBytes(root) {
  return tree(root).reduce((sum, { pid }) => {
    try {
      const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
      return sum + (line ? Number(line[1]) * 1024 : 0);
    } catch {
      return sum;
    }
  }, 0);
}
