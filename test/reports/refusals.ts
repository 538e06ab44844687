/*
 * What browsers do to pages that they do not trust, each alone. To be run in a page before its own scripts, so that
 * each stands by itself.
 */
export const REFUSALS: Record<string, () => void> = {
  "locks that throw": () => {
    Object.defineProperty(Navigator.prototype, "locks", {
      get() {
        throw new DOMException("The operation is insecure.", "SecurityError");
      },
    });
  },
  "locks that are refused": () => {
    LockManager.prototype.request = () =>
      Promise.reject(new DOMException("The operation is insecure.", "SecurityError"));
  },
  "locks that are neither given nor refused": () => {
    LockManager.prototype.request = () => new Promise(() => {});
  },
  "no locks": () => {
    delete (Navigator.prototype as { locks?: unknown }).locks;
  },
  "a channel that throws": () => {
    globalThis.BroadcastChannel = class {
      constructor() {
        throw new DOMException("The operation is insecure.", "SecurityError");
      }
    } as never;
  },
  "a channel that takes no messages": () => {
    BroadcastChannel.prototype.postMessage = () => {
      throw new DOMException("The operation is insecure.", "SecurityError");
    };
  },
  "no channels": () => {
    delete (globalThis as { BroadcastChannel?: unknown }).BroadcastChannel;
  },
  "an IndexedDB that throws": () => {
    Object.defineProperty(globalThis, "indexedDB", {
      get() {
        throw new DOMException("The operation is insecure.", "SecurityError");
      },
    });
  },
  "no IndexedDB": () => {
    Object.defineProperty(globalThis, "indexedDB", { value: null });
  },
  "databases that may not be opened": () => {
    IDBFactory.prototype.open = () => {
      throw new DOMException("The operation is insecure.", "SecurityError");
    };
  },
  "a database that never opens": () => {
    IDBFactory.prototype.open = () => ({}) as IDBOpenDBRequest;
  },
  "a database that takes no transactions": () => {
    IDBDatabase.prototype.transaction = () => {
      throw new DOMException("The database connection is closing.", "InvalidStateError");
    };
  },
  "a full disk": () => {
    IDBObjectStore.prototype.put = () => {
      throw new DOMException("The disk is full.", "QuotaExceededError");
    };
  },
};
