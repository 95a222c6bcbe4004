// Heartbeats: when they go out, what they carry, what they teach about the server's clock; and the buffered events.
const parts = ((window.proctoring ??= {}).parts ??= {});

const PIGGYBACK = 20;
const BATCH = 500;
const BATCH_BYTES = 256_000;
const IN_PASSING_BYTES = 50_000;
const FIRST_WITHIN = 2_000;
const SLOWEST = 60_000;
const TOLD_AFTER = 2;
const SMALLER_AFTER = 2;
const STORE_PATIENCE = 3_000;
const MOST_ACKNOWLEDGED = 100;

// A store that hangs holds up no heartbeat.
function within(milliseconds, promise, otherwise) {
  const late = new Promise((resolve) => setTimeout(() => resolve(otherwise), milliseconds));
  return Promise.race([promise.catch(() => otherwise), late]);
}

// Rings once at a time; in a hidden page with the help of a worker, where the LMS's policy allows one.
class Alarm {
  constructor(ring, tickerUrl) {
    this.ring = ring;
    this.tickerUrl = tickerUrl;
    this.due = null;
    document.addEventListener("visibilitychange", () => this.arm());
  }

  set(milliseconds) {
    this.due = performance.now() + milliseconds;
    this.arm();
  }

  stop() {
    this.due = null;
    clearTimeout(this.timer);
  }

  arm() {
    clearTimeout(this.timer);
    if (this.due === null) return;
    const left = Math.max(0, this.due - performance.now());
    this.timer = setTimeout(() => this.fire(), left);
    if (document.hidden) this.worker()?.postMessage(left);
  }

  fire() {
    if (this.due === null || performance.now() < this.due - 20) return;
    this.stop();
    this.ring();
  }

  worker() {
    if (this.ticker !== undefined) return this.ticker;
    try {
      this.ticker = new Worker(this.tickerUrl);
      this.ticker.onmessage = () => this.fire();
      this.ticker.onerror = (event) => event.preventDefault();
    } catch {
      // Files may come from another address than pages do, and a worker must not.
      this.ticker = null;
    }
    return this.ticker;
  }
}

class Heart {
  // hear: onAnswer(answer, sent, roundTrip), onConnection(state: "ok" | "lost" | "stranger"), onRefused(row).
  constructor(config, line, buffer, hear) {
    this.config = config;
    this.line = line;
    this.buffer = buffer;
    this.hear = hear;
    this.acknowledged = new Map();
    this.sequence = 0;
    this.failures = 0;
    this.roundTrip = null;
    this.interval = config.interval * 1000;
    this.separate = false;
    this.most = BATCH;
    this.bytes = BATCH_BYTES;
    this.stuck = 0;
    this.probes = 0;
    this.drainNotBefore = 0;
    this.stopped = !config.beats;
    this.alarm = new Alarm(() => this.beat(), config.urls.ticker);
  }

  start() {
    if (this.stopped) {
      this.drainToTheEnd();
      return;
    }
    this.alarm.set(Math.random() * FIRST_WITHIN);
    window.addEventListener("online", () => {
      this.drainNotBefore = 0;
      this.beat();
    });
    window.addEventListener("offline", () => this.hear.onConnection("lost"));
    // Back in front after the machine slept: the alarm may be overdue, and nobody knows how the clock stands.
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.beat();
    });
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) this.beat();
    });
  }

  acknowledge(id, state) {
    if (this.acknowledged.get(id) !== "applied") this.acknowledged.set(id, state);
  }

  beatWithin(milliseconds) {
    if (this.stopped) return;
    const left = this.alarm.due === null ? Infinity : this.alarm.due - performance.now();
    if (left > milliseconds) this.alarm.set(milliseconds);
  }

  // One at a time: whoever asks while one is under way gets the one that follows. Resolves to whether it arrived. After
  // the end only what was carried out is still said.
  beat() {
    if (this.stopped && !this.acknowledged.size) return Promise.resolve(false);
    if (this.current) {
      this.following ??= this.current.then(() => {
        this.following = null;
        return this.beat();
      });
      return this.following;
    }
    this.current = this.alone((free) => this.once(free))
      .catch(() => false)
      .finally(() => {
        this.current = null;
        // Whatever went wrong, the next one comes.
        if (this.alarm.due === null) this.later(this.interval);
      });
    return this.current;
  }

  async once(mayCarry) {
    const rest = this.line.notBefore - performance.now();
    if (rest > 0) {
      this.later(rest + Math.random() * 1000);
      return false;
    }
    this.alarm.stop();
    const rows = await within(STORE_PATIENCE, this.buffer.next(PIGGYBACK + 1, BATCH_BYTES), []);
    const carried = mayCarry && this.carries() && rows.length <= PIGGYBACK ? rows : [];
    const said = [...this.acknowledged].slice(0, MOST_ACKNOWLEDGED);
    const body = {
      sequence: (this.sequence += 1),
      client_time: new Date().toISOString(),
      round_trip_ms: this.roundTrip,
      events: carried.map((one) => one.row),
      acknowledged: said.map(([id, state]) => ({ id, state })),
    };
    // What was carried out may be that this page goes.
    const keepalive = said.length > 0 && carried.length === 0;
    const result = await this.line.post(this.config.urls.heartbeat, body, { keepalive });
    if (result.kind !== "ok" || typeof result.body.server_time !== "string") return this.failed(result, carried);
    await this.arrived(result, carried, said);
    const due = performance.now() >= this.drainNotBefore;
    if (mayCarry && due && carried.length < rows.length) await this.drainAlone();
    return true;
  }

  // Not what may be why nothing arrives: that the page is there, its deadline and its commands depend on nothing else.
  carries() {
    return !this.separate && !this.stuck && !this.failures;
  }

  async arrived({ body, sent, roundTrip }, carried, said) {
    this.failures = 0;
    this.roundTrip = Math.min(600_000, Math.round(roundTrip));
    for (const [id, state] of said) if (this.acknowledged.get(id) === state) this.acknowledged.delete(id);
    if (carried.length) await this.buffer.remove(carried);
    this.interval = Math.max(1, body.next_heartbeat_seconds || this.config.interval) * 1000;
    if (this.config.running.includes(body.status)) this.later(this.pause(body));
    else this.end();
    this.hear.onConnection("ok");
    this.hear.onAnswer(body, sent, roundTrip);
  }

  // Not in step with the thousand others who began in the same minute; but soon after the end of the time.
  pause(answer) {
    const usual = this.interval * (0.9 + 0.2 * Math.random());
    if (answer.seconds_left === null || answer.seconds_left * 1000 > usual) return usual;
    return answer.seconds_left * 1000 + 1000 + Math.random() * 1000;
  }

  async failed(result, carried) {
    if (result.kind === "refused") return this.refused(result, carried);
    this.failures += 1;
    if (result.kind === "large") this.separate ||= carried.length > 0;
    this.later(Math.max(this.patience(this.failures - 2), this.line.notBefore - performance.now()));
    if (result.kind === "stranger") {
      if (!(await this.line.renew())) this.hear.onConnection("stranger");
      else if (this.failures === 1) this.beatWithin(Math.random() * 1000);
      else this.hear.onConnection("lost");
    } else if (this.failures >= TOLD_AFTER || navigator.onLine === false) {
      this.hear.onConnection("lost");
    }
    return false;
  }

  // Ever longer, and never in step with others.
  patience(times) {
    const slower = this.interval * 2 ** Math.min(6, times);
    return Math.min(Math.max(SLOWEST, this.interval), slower) * (0.5 + 0.5 * Math.random());
  }

  // Sent again, it would be refused again.
  async refused({ code }, carried) {
    if (code === "attempt_erased") {
      this.end();
      await this.buffer.clear();
      return false;
    }
    this.acknowledged.clear();
    this.separate ||= carried.length > 0;
    this.later(this.interval);
    return false;
  }

  later(milliseconds) {
    if (!this.stopped) this.alarm.set(milliseconds);
  }

  end() {
    this.stopped = true;
    this.alarm.stop();
    this.drainAfter(0);
  }

  // Every answer after the end says once more that it is the end: one timer, however often that is heard.
  drainAfter(milliseconds) {
    clearTimeout(this.draining);
    this.draining = setTimeout(() => this.drainToTheEnd(), milliseconds);
  }

  // Where no heartbeat comes any more that would try again.
  async drainToTheEnd() {
    if ((await this.drain()) || !this.stuck) return;
    // Another tab may be at it: then this one had no answer of its own, and waits all the same.
    this.drainAfter(Math.max(this.patience(this.stuck), this.line.notBefore - performance.now()));
  }

  // Of the tabs of an attempt one sends what is buffered. Where they cannot agree, the server knows what it has.
  async alone(task) {
    let began = false;
    try {
      return await navigator.locks.request(`proctoring:${this.config.attempt}`, { ifAvailable: true }, (lock) => {
        began = true;
        return task(Boolean(lock));
      });
    } catch (error) {
      if (began) throw error;
      return task(true);
    }
  }

  // Everything that is buffered, batch by batch. Resolves to whether nothing is left.
  drain() {
    return this.alone((free) => free && this.drainAlone()).catch(() => false);
  }

  // What something in between takes in no size, or a server that is in trouble with one of them, must not keep back all
  // the rest for ever. Nor may an outage change the order: one that failed alone is only suspected, until one behind it
  // arrives at the same time.
  async drainAlone() {
    let renewals = 1;
    let suspect = null;
    for (;;) {
      if (this.line.notBefore > performance.now()) return false;
      const rows = await (suspect ? this.behind(suspect) : this.buffer.next(this.most, this.bytes));
      if (!rows.length) return !suspect;
      const result = await this.line.post(this.config.urls.events, rows.map((one) => one.row));
      if (result.kind === "ok") {
        await this.buffer.remove(rows);
        if (suspect) this.buffer.putAside(suspect);
        suspect = null;
        this.recovered();
      } else if (result.kind === "refused" && result.code === "attempt_erased") {
        suspect = null;
        await this.buffer.clear();
      } else if (result.kind === "large" || result.kind === "refused") {
        // It will never be taken like this. Of one that cannot be read, halves find which it is.
        if (rows.length === 1) await this.giveUp(rows);
        else if (result.kind === "large") this.bytes = this.buffer.measure(rows) / 2;
        else this.halve(rows);
      } else if (result.kind === "none") {
        if (suspect || !this.trouble(rows)) return false;
        suspect = rows[0];
      } else if (renewals-- <= 0 || !(await this.line.renew())) {
        return false;
      }
    }
  }

  halve(rows) {
    this.most = Math.max(1, Math.floor(rows.length / 2));
  }

  async giveUp(rows) {
    await this.buffer.remove(rows);
    this.hear.onRefused(rows[0].row);
  }

  // Another one each time, since the next one may be as bad.
  behind(suspect) {
    this.probes += 1;
    return this.buffer.behind(suspect, this.probes - 1);
  }

  recovered() {
    this.stuck = 0;
    this.probes = 0;
    this.drainNotBefore = 0;
    this.most = Math.min(BATCH, 2 * this.most);
  }

  // It may pass, so that nothing is given up; but less of it may arrive now. Returns whether no less is possible, so that
  // it may be this row.
  trouble(rows) {
    this.drainNotBefore = performance.now() + this.patience(this.stuck);
    this.stuck += 1;
    if (this.stuck < SMALLER_AFTER) return false;
    this.halve(rows);
    return rows.length === 1;
  }

  // The page goes. What arrives in this way arrives once more if nobody hears of it, and is known by then.
  inPassing() {
    const rows = this.buffer.inPassing(IN_PASSING_BYTES).slice(0, BATCH);
    if (rows.length && navigator.onLine !== false) this.line.post(this.config.urls.events, rows, { keepalive: true });
  }
}

parts.Heart = Heart;
