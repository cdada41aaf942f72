// What a part wants to tell the person running flow, without knowing how it is shown.

export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
}

/** Swallows everything. */
export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {} };
