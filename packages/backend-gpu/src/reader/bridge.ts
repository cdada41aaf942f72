// Calling C without a native build of our own. The part of koffi that is used is small, so that
// another bridge could take its place.

export interface Bridge {
  /** Loads a library; null: what this process has loaded already. Throws when there is none. */
  load(path: string | null): Library;
}

export interface Library {
  /** Throws when the library has no such function. */
  func(name: string, result: string, parameters: readonly string[]): ForeignFunction;
}

export interface ForeignFunction {
  (...args: readonly unknown[]): number;
  /** Runs on another thread; the last argument is called back with an error and the result. */
  async(...args: readonly unknown[]): void;
}

/** Undefined where koffi is not installed, which is optional. */
export async function loadBridge(): Promise<Bridge | undefined> {
  try {
    const { default: bridge } = (await import("koffi")) as unknown as { readonly default: Bridge };
    return bridge;
  } catch {
    return undefined;
  }
}
