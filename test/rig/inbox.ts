/** Things that come one by one and are taken one by one, whichever is first. */

/** What a test waits for comes at once or never; this ends the waiting with a message. */
const PATIENCE_MS = 60_000;

export class Inbox<Item> {
  readonly #items: Item[] = [];
  readonly #takers: ((item: Item) => void)[] = [];

  get size(): number {
    return this.#items.length;
  }

  put(item: Item): void {
    const taker = this.#takers.shift();
    if (taker === undefined) this.#items.push(item);
    else taker(item);
  }

  /** `what` is named when it does not come. */
  next(what: string): Promise<Item> {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve, reject) => {
      const taker = (found: Item): void => {
        clearTimeout(timer);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#takers.splice(this.#takers.indexOf(taker), 1);
        reject(new Error(`waited ${PATIENCE_MS / 1000} s for ${what}, which did not come`));
      }, PATIENCE_MS);
      this.#takers.push(taker);
    });
  }
}
