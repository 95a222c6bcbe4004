// What a page has noted of its attempt and the server has not confirmed yet, in the order in which it was noted. It
// outlives a reload, a crash and a time without network, in IndexedDB; where there is none, in localStorage, or in
// memory at the worst. Nothing leaves it but by the server's word, and by want of room.
const parts = ((window.proctoring ??= {}).parts ??= {});

const DATABASE = "proctoring";
const PATIENCE = 3_000;
const MOST_ROWS = 5_000;
const EVICTED_AT_ONCE = 100;
const LOOKED_BEHIND = 500;
const KEPT = 30 * 24 * 3_600_000;
// Below the server's own bound, which counts a space behind each comma and colon.
const MOST_ROW_BYTES = 7_500;

const bytesOf = (text) => new TextEncoder().encode(text).length;

function measure(row) {
  const text = JSON.stringify(row);
  return bytesOf(text) + (text.match(/[,:]/g) ?? []).length;
}

function answered(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function finished(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = () => reject(transaction.error);
    transaction.onabort = () => reject(transaction.error ?? new DOMException("aborted", "QuotaExceededError"));
  });
}

function openDatabase() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      const events = request.result.createObjectStore("events", { keyPath: "key", autoIncrement: true });
      events.createIndex("attempt", "attempt");
      request.result.createObjectStore("done", { keyPath: "id" });
    };
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
    // Some browsers never answer here: one that is shutting down, or whose files are locked.
    setTimeout(() => reject(new Error("IndexedDB does not answer")), PATIENCE);
  });
}

class IndexedStore {
  static async open(attempt) {
    const store = new IndexedStore(attempt, await openDatabase());
    await store.forgetOld();
    return store;
  }

  constructor(attempt, database) {
    this.attempt = attempt;
    this.database = database;
    this.durable = true;
  }

  begin(name, mode) {
    const transaction = this.database.transaction(name, mode);
    return [transaction.objectStore(name), transaction];
  }

  async put(entry) {
    const [events, transaction] = this.begin("events", "readwrite");
    events.add({ ...entry, attempt: this.attempt, at: Date.now() });
    await finished(transaction);
  }

  // The primary key counts up, over all tabs: older rows come first, and so do older loads of the page.
  first(limit) {
    const [events] = this.begin("events", "readonly");
    return answered(events.index("attempt").getAll(IDBKeyRange.only(this.attempt), limit));
  }

  count() {
    const [events] = this.begin("events", "readonly");
    return answered(events.index("attempt").count(IDBKeyRange.only(this.attempt)));
  }

  async remove(keys) {
    const [events, transaction] = this.begin("events", "readwrite");
    for (const key of keys) events.delete(key);
    await finished(transaction);
  }

  async isDone(id) {
    const [done] = this.begin("done", "readonly");
    return (await answered(done.get(`${this.attempt}:${id}`))) !== undefined;
  }

  async markDone(id) {
    const [done, transaction] = this.begin("done", "readwrite");
    done.put({ id: `${this.attempt}:${id}`, at: Date.now() });
    await finished(transaction);
  }

  // A computer may be shared: what nobody fetched for a month is of no use to anybody.
  async forgetOld() {
    for (const name of ["events", "done"]) {
      const [rows, transaction] = this.begin(name, "readwrite");
      rows.openCursor().onsuccess = (event) => {
        const cursor = event.target.result;
        if (!cursor) return;
        if (cursor.value.at < Date.now() - KEPT) cursor.delete();
        // Events are in the order of their age, so that the first young one ends the search.
        else if (name === "events") return;
        cursor.continue();
      };
      await finished(transaction);
    }
  }
}

class PlainStore {
  constructor(attempt, stream) {
    this.prefix = `proctoring:events:${attempt}:`;
    this.own = `${this.prefix}${String(Date.now()).padStart(15, "0")}:${stream}`;
    this.doneKey = `proctoring:done:${attempt}`;
    this.done = new Set();
    this.rows = [];
    this.key = 0;
    this.durable = false;
    this.load();
  }

  load() {
    try {
      for (const name of Object.keys(localStorage).filter((one) => one.startsWith(this.prefix)).sort()) {
        for (const entry of JSON.parse(localStorage.getItem(name))) this.rows.push({ ...entry, key: ++this.key, name });
      }
      for (const id of JSON.parse(localStorage.getItem(this.doneKey) ?? "[]")) this.done.add(id);
    } catch {
      // Memory has to do.
    }
  }

  save(name) {
    try {
      const kept = this.rows.filter((one) => one.name === name).map(({ row, low }) => ({ row, low }));
      if (kept.length) localStorage.setItem(name, JSON.stringify(kept));
      else localStorage.removeItem(name);
    } catch {
      // Memory has to do.
    }
  }

  async put(entry) {
    this.rows.push({ ...entry, key: ++this.key, name: this.own });
    this.save(this.own);
  }

  async first(limit) {
    return this.rows.slice(0, limit);
  }

  async count() {
    return this.rows.length;
  }

  async remove(keys) {
    const gone = new Set(keys);
    const names = new Set(this.rows.filter((one) => gone.has(one.key)).map((one) => one.name));
    this.rows = this.rows.filter((one) => !gone.has(one.key));
    for (const name of names) this.save(name);
  }

  async isDone(id) {
    return this.done.has(id);
  }

  async markDone(id) {
    this.done.add(id);
    try {
      localStorage.setItem(this.doneKey, JSON.stringify([...this.done].slice(-200)));
    } catch {
      // Memory has to do.
    }
  }
}

class Buffer {
  // onDropped hears how many rows had to go for want of room.
  constructor(attempt, stream, onDropped) {
    this.attempt = attempt;
    this.stream = stream;
    this.onDropped = onDropped;
    this.size = 0;
    // This load's rows that nobody has confirmed: what is sent while the page goes, and what saves them where the
    // store breaks down.
    this.fresh = new Map();
    this.others = true;
    // Keys of rows that others have overtaken since they do not arrive: they wait until nothing else does.
    this.aside = new Set();
    this.work = this.open();
  }

  async open() {
    try {
      this.store = await IndexedStore.open(this.attempt);
    } catch {
      this.store = new PlainStore(this.attempt, this.stream);
    }
    this.size = await this.store.count().catch(() => 0);
  }

  get durable() {
    return Boolean(this.store?.durable);
  }

  // One thing after the other, in the order of the calls.
  then(task) {
    const done = this.work.then(task);
    this.work = done.catch(() => {});
    return done;
  }

  // Noted at once; the store follows.
  add(row, low) {
    this.fresh.set(row.message_id, { row, low });
    return this.then(() => this.put({ row, low }));
  }

  async put(entry) {
    try {
      if (this.size >= MOST_ROWS) await this.evict();
      try {
        await this.store.put(entry);
      } catch (error) {
        if (error?.name !== "QuotaExceededError" || !(await this.evict())) throw error;
        await this.store.put(entry);
      }
      this.size += 1;
    } catch {
      await this.breakDown();
    }
  }

  // The store is gone, because the browser closed it or its data was cleared: begin again with what this load knows.
  async breakDown() {
    if (!(this.store instanceof IndexedStore)) return;
    this.aside.clear();
    this.store = new PlainStore(this.attempt, this.stream);
    for (const entry of this.fresh.values()) await this.store.put(entry);
    this.size = await this.store.count();
  }

  // Make room: the oldest of little weight first. Returns whether there was something to throw away.
  async evict() {
    const rows = await this.store.first(MOST_ROWS);
    const low = rows.filter((one) => one.low).slice(0, EVICTED_AT_ONCE);
    const gone = low.length ? low : rows.slice(0, EVICTED_AT_ONCE);
    if (!gone.length) return false;
    await this.discard(gone);
    setTimeout(() => this.onDropped(gone.length));
    return true;
  }

  // The next rows to send, the oldest first, as many as fit.
  next(limit, bytes) {
    return this.then(async () => {
      const rows = await this.waiting(limit);
      this.others = rows.some((one) => one.row.stream !== this.stream);
      const taken = [];
      let size = 0;
      for (const entry of rows) {
        size += measure(entry.row);
        if (taken.length && size > bytes) break;
        taken.push(entry);
      }
      return taken;
    });
  }

  async waiting(limit) {
    let rows;
    try {
      rows = await this.store.first(limit + this.aside.size);
    } catch {
      await this.breakDown();
      rows = await this.store.first(limit);
    }
    const others = rows.filter((one) => !this.aside.has(one.key));
    return (others.length ? others : rows).slice(0, limit);
  }

  // One that waits behind this one, another one with each time; none where nothing does.
  behind(entry, times) {
    return this.then(async () => {
      const rows = (await this.waiting(LOOKED_BEHIND)).filter((one) => one.key !== entry.key);
      return rows.length ? [rows[times % rows.length]] : [];
    });
  }

  putAside(entry) {
    this.aside.add(entry.key);
  }

  measure(entries) {
    return entries.reduce((size, entry) => size + measure(entry.row), 0);
  }

  // The server has them, or will never take them.
  remove(entries) {
    return this.then(() => this.discard(entries)).catch(() => this.then(() => this.breakDown()));
  }

  async discard(entries) {
    for (const entry of entries) this.fresh.delete(entry.row.message_id);
    await this.store.remove(entries.map((one) => one.key));
    for (const entry of entries) this.aside.delete(entry.key);
    this.size = Math.max(0, this.size - entries.length);
  }

  async clear() {
    for (let rows = await this.next(500, Infinity); rows.length; rows = await this.next(500, Infinity)) {
      await this.remove(rows);
    }
  }

  // What may be sent in passing while the page goes: nothing where older loads come first.
  inPassing(bytes) {
    const rows = [];
    let size = 0;
    if (this.others) return rows;
    for (const { row } of this.fresh.values()) {
      size += measure(row);
      if (size > bytes) break;
      rows.push(row);
    }
    return rows;
  }

  isDone(id) {
    return this.then(() => this.store.isDone(id)).catch(() => false);
  }

  markDone(id) {
    return this.then(() => this.store.markDone(id)).catch(() => this.then(() => this.breakDown()));
  }
}

parts.Buffer = Buffer;
parts.measureRow = measure;
parts.MOST_ROW_BYTES = MOST_ROW_BYTES;
