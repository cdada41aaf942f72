// One piece of work at a time per attempt, so that what is copied while it runs and what comes at its
// end never write the same file at once.

export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  take<T>(attempt: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(attempt) ?? Promise.resolve();
    const turn = before.then(work, work);
    this.#last.set(attempt, turn);
    const forget = (): void => {
      if (this.#last.get(attempt) === turn) this.#last.delete(attempt);
    };
    turn.then(forget, forget);
    return turn;
  }
}
