// A binary heap of integers ordered by a number. Ties go to the smaller item, so that the order of
// what comes out never depends on the order in which it went in.

export class Heap {
  readonly #keys: number[] = [];
  readonly #items: number[] = [];

  /** The item with the smallest key; undefined when the heap is empty. */
  get top(): number | undefined {
    return this.#items[0];
  }

  /** The smallest key; undefined when the heap is empty. */
  get topKey(): number | undefined {
    return this.#keys[0];
  }

  push(key: number, item: number): void {
    let hole = this.#items.length;
    this.#keys.push(key);
    this.#items.push(item);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!this.#before(key, item, parent)) break;
      this.#copy(parent, hole);
      hole = parent;
    }
    this.#keys[hole] = key;
    this.#items[hole] = item;
  }

  /** Removes and returns the item with the smallest key; undefined when the heap is empty. */
  pop(): number | undefined {
    const first = this.#items[0];
    const key = this.#keys.pop();
    const item = this.#items.pop();
    const size = this.#items.length;
    if (key === undefined || item === undefined || size === 0) return first;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#isBefore(child + 1, child)) child += 1;
      if (this.#before(key, item, child)) break;
      this.#copy(child, hole);
      hole = child;
    }
    this.#keys[hole] = key;
    this.#items[hole] = item;
    return first;
  }

  #isBefore(left: number, right: number): boolean {
    return this.#before(this.#keys[left] as number, this.#items[left] as number, right);
  }

  #before(key: number, item: number, other: number): boolean {
    const otherKey = this.#keys[other] as number;
    return key < otherKey || (key === otherKey && item < (this.#items[other] as number));
  }

  #copy(from: number, to: number): void {
    this.#keys[to] = this.#keys[from] as number;
    this.#items[to] = this.#items[from] as number;
  }
}
