// Durations and sizes as people write them. The only place that knows suffixes.

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const BYTE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  k: 1e3,
  kb: 1e3,
  m: 1e6,
  mb: 1e6,
  g: 1e9,
  gb: 1e9,
  t: 1e12,
  tb: 1e12,
  ki: 2 ** 10,
  kib: 2 ** 10,
  mi: 2 ** 20,
  mib: 2 ** 20,
  gi: 2 ** 30,
  gib: 2 ** 30,
  ti: 2 ** 40,
  tib: 2 ** 40,
};

/**
 * Milliseconds of `90`, `1.5h`, `1h30m`, `500ms`, `02:30:00` or `1-12:00:00`; a bare number is
 * seconds. Undefined when the text is none of these or is beyond 2^53.
 */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d+(\.\d*)?$/.test(trimmed)) return whole(Number(trimmed) * 1_000);
  const clock = /^(?:(\d+)-)?(\d{1,2}):([0-5]\d):([0-5]\d)$/.exec(trimmed);
  if (clock !== null) {
    const [days, hours, minutes, seconds] = clock.slice(1).map((part) => Number(part ?? 0));
    return whole(
      ((((days ?? 0) * 24 + (hours ?? 0)) * 60 + (minutes ?? 0)) * 60 + (seconds ?? 0)) * 1_000,
    );
  }
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+$/.test(trimmed)) return undefined;
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)) {
    total += Number(amount) * (DURATION_UNITS[unit ?? ""] ?? Number.NaN);
  }
  return whole(total);
}

/**
 * Bytes of `512MB`, `4G`, `1.5GiB`: `k M G T` (with or without `B`) are powers of 1000, `Ki Mi Gi Ti`
 * powers of 1024. A number without a unit is refused, except 0, because its unit would be a guess.
 */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim());
  if (match === null) return undefined;
  const amount = Number(match[1]);
  const unit = (match[2] ?? "").toLowerCase();
  if (unit === "") return amount === 0 ? 0 : undefined;
  const factor = BYTE_UNITS[unit];
  return factor === undefined ? undefined : whole(amount * factor);
}

/** `450ms`, `12.3s`, `4m05s`, `3h07m`, `2d04h`: at most two units, for screens and messages. */
export function formatDuration(milliseconds: number): string {
  const ms = Math.max(0, Math.round(milliseconds));
  if (ms < 1_000) return `${ms}ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1).replace(/\.0$/, "")}s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return two(Math.floor(seconds / 60), "m", seconds % 60, "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return two(Math.floor(minutes / 60), "h", minutes % 60, "m");
  const hours = Math.round(minutes / 60);
  return two(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** `0 B`, `512 B`, `1.5 MB`, `12 GB` (powers of 1000), for screens and messages. */
export function formatBytes(bytes: number): string {
  const names = ["B", "kB", "MB", "GB", "TB", "PB"];
  let amount = Math.max(0, bytes);
  let index = 0;
  while (amount >= 999.5 && index < names.length - 1) {
    amount /= 1_000;
    index += 1;
  }
  const digits = index === 0 || amount >= 99.95 ? 0 : 1;
  return `${amount.toFixed(digits).replace(/\.0$/, "")} ${names[index]}`;
}

function two(large: number, largeUnit: string, small: number, smallUnit: string): string {
  if (small === 0) return `${large}${largeUnit}`;
  return `${large}${largeUnit}${String(small).padStart(2, "0")}${smallUnit}`;
}

function whole(value: number): number | undefined {
  const rounded = Math.round(value);
  return Number.isSafeInteger(rounded) ? rounded : undefined;
}
