/** Code that cannot be captured or delivered; the message says what is wrong and what to do. */
export class SnapshotError extends Error {
  override readonly name = "SnapshotError";
}
