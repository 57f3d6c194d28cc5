// What this browser keeps between visits: one record a name, in IndexedDB. Where that is switched off, nothing is kept.

function opened() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("posterity", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("imports");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function done(mode, work) {
  const database = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction("imports", mode);
      const request = work(transaction.objectStore("imports"));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

/** Return the record of a name; undefined without one. */
export const kept = (name) => done("readonly", (store) => store.get(name)).catch(() => undefined);

/** Keep a record under a name; return false if this browser does not. */
export const keep = (name, record) => done("readwrite", (store) => store.put(record, name)).then(() => true, () => false);

/** Delete the record of a name. */
export const forget = (name) => done("readwrite", (store) => store.delete(name)).catch(() => undefined);
