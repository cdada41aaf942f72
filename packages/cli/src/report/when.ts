// Points in time as a person reads them.

import { formatDuration } from "@flow/core";

const MINUTE_MS = 60_000;
const DAYS_MS = 7 * 24 * 3_600_000;

/** `just now`, `4m05s ago`, `2d04h ago`; a date when it is long ago. Unix milliseconds. */
export function ago(wall: number, now: number = Date.now()): string {
  const passed = now - wall;
  if (passed < MINUTE_MS) return "just now";
  return passed < DAYS_MS ? `${formatDuration(passed)} ago` : `on ${localTime(wall)}`;
}

/** `2026-11-21 10:15:30`, local time. */
export function localTime(wall: number): string {
  const time = new Date(wall);
  const two = (part: number): string => String(part).padStart(2, "0");
  const date = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join("-");
  return `${date} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":")}`;
}
