// The page of an attempt: it says that it is there, hears what it must know, and reports what only a page can see. It
// is loaded after the files of page/, and does nothing where one of them is missing. Whatever fails here stays here: the
// exam goes on. docs/script.rst says what is noted, and what an LMS may call.
const proctoring = (window.proctoring ??= {});
const parts = (proctoring.parts ??= {});

const TEXT = { item_id: 255, error: 1_000, reason_message: 1_000 };
const LOW = new Set([1003, 1004, 1005, 1031, 1033]);
const NAME = /^[A-Za-z0-9_.:-]{1,64}$/;
const SAMPLE_FOR = 300_000;

// What fails here must not reach the LMS's page, nor the error that it would become.
parts.guarded = (task) => (...given) => {
  try {
    return task(...given);
  } catch (error) {
    console.debug("proctoring:", error);
    return undefined;
  }
};

// Null characters and halves of characters cannot be stored.
const tidy = (text) => text.replace(/\0/g, "").replace(/\p{Surrogate}/gu, "\ufffd");

function plain(value) {
  if (value === undefined || value === null) return undefined;
  const copy = JSON.parse(JSON.stringify(value), (_, one) => (typeof one === "string" ? tidy(one) : one));
  return copy !== null && typeof copy === "object" && !Array.isArray(copy) ? copy : { value: copy };
}

function whole(value) {
  const number = Number(value);
  return value !== null && Number.isInteger(number) && number >= 0 && number < 2 ** 31 ? number : undefined;
}

function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
}

// The server's clock, read off the monotonic one: what the computer's own says moves nothing.
class ServerClock {
  constructor() {
    this.sample = null;
  }

  learn(serverTime, roundTrip) {
    const now = performance.now();
    const offset = serverTime + roundTrip / 2 - now;
    const { sample } = this;
    // The shortest way is the most exact; but a machine that slept, or a sample of long ago, begins anew.
    const off = sample && Math.abs(offset - sample.offset) > (roundTrip + sample.roundTrip) / 2 + 1000;
    if (!sample || off || roundTrip <= sample.roundTrip || now - sample.at > SAMPLE_FOR) {
      this.sample = { offset, roundTrip, at: now };
    }
  }

  now() {
    return this.sample ? performance.now() + this.sample.offset : null;
  }
}

class AttemptPage {
  constructor(config) {
    this.config = config;
    this.stream = randomName();
    this.sequence = 0;
    this.status = config.status;
    this.connection = "ok";
    this.reached = "ok";
    this.loggedOut = false;
    this.clock = new ServerClock();
    this.expiresAt = null;
    this.listeners = { command: new Set(), connection: new Set(), deadline: new Set() };
    this.line = new parts.Line(config);
    this.buffer = new parts.Buffer(config.attempt, this.stream, (count) => this.dropped(count));
    this.heart = new parts.Heart(config, this.line, this.buffer, {
      onAnswer: parts.guarded((...heard) => this.hear(...heard)),
      onConnection: parts.guarded((state) => this.connected(state)),
      onRefused: parts.guarded((row) => this.refused(row)),
    });
  }

  begin() {
    if (this.config.beats) {
      this.notices = new parts.Notices(this.config);
      this.commands = new parts.Commands(this.forCommands());
      // Before the first answer the page knows what it was rendered with.
      this.pausedBehindOverlay();
      document.addEventListener("proctoring:logged-out", () => this.connected(this.reached, true));
      document.addEventListener("proctoring:logged-in", () => this.connected(this.reached, false));
      window.addEventListener("pagehide", parts.guarded(() => this.heart.inPassing()));
    }
    this.heart.start();
  }

  // For what is noted by the script itself; a pause is the candidate's own time.
  notice(type, fields) {
    if (this.status !== "paused" || type === parts.TYPES.clientError || type < 1010) this.note(type, fields);
  }

  note(type, fields = {}) {
    if (!this.config.beats || !this.config.running.includes(this.status)) return;
    const row = { type: Number(type), occurred_at: fields.occurred_at ?? new Date().toISOString(), stream: this.stream };
    for (const [name, length] of Object.entries(TEXT)) {
      if (fields[name] !== undefined && fields[name] !== null) row[name] = tidy(String(fields[name]).slice(0, length));
    }
    row.question_number = whole(fields.question_number ?? undefined);
    row.reason_code = whole(fields.reason_code ?? undefined);
    row.data = plain(fields.data);
    row.sequence = this.sequence += 1;
    row.message_id = `${this.stream}.${row.sequence}`;
    if (parts.measureRow(row) > parts.MOST_ROW_BYTES) row.data = { left_out: "too large" };
    this.buffer.add(JSON.parse(JSON.stringify(row)), LOW.has(row.type));
  }

  dropped(count) {
    this.note(parts.TYPES.clientError, {
      error: `There was no room for ${count} events of this page.`,
      data: { dropped: count },
    });
  }

  // Where nothing is taken at all, not even this, it ends here.
  refused(row) {
    if (row.data?.refused) return;
    this.note(parts.TYPES.clientError, {
      error: "An event of this page was not taken.",
      data: { refused: row.message_id, type: row.type },
    });
  }

  hear(answer, sent, roundTrip) {
    const before = { status: this.status, expiresAt: this.expiresAt };
    this.status = answer.status;
    this.clock.learn(Date.parse(answer.server_time), roundTrip);
    this.expiresAt = answer.expires_at;
    if (this.expiresAt !== before.expiresAt) this.emit("deadline", this.deadline());
    this.pausedBehindOverlay();
    const settled = this.commands.hear(answer);
    // The timer follows at once (exam.js), and the page when what it was told to do has been done.
    const heard = { answer, sent, roundTrip, settled, rendered: this.config.status };
    document.dispatchEvent(new CustomEvent("proctoring:heartbeat", { detail: heard }));
    if (!this.config.running.includes(answer.status)) settled.then(() => this.leave());
  }

  hasBar() {
    return document.querySelector("[data-proctoring-watch]") !== null;
  }

  pausedBehindOverlay() {
    if (!this.hasBar()) this.notices.pause(this.status === "paused");
  }

  leavesBecauseOf(answer) {
    return this.hasBar() && (answer.status === "paused") !== (this.config.status === "paused");
  }

  // To the exam's page, which says how things stand. The bar does it by itself, by what the server says.
  leave() {
    if (this.left || this.hasBar()) return;
    this.left = true;
    const event = new CustomEvent("proctoring:leave", { bubbles: true, cancelable: true });
    if (document.dispatchEvent(event)) window.location.replace(this.config.urls.page);
  }

  // With its token the page is heard without a login, but the LMS keeps no answer without one.
  connected(reached, loggedOut = this.loggedOut) {
    this.reached = reached;
    this.loggedOut = loggedOut;
    const state = reached === "ok" && loggedOut ? "stranger" : reached;
    if (state === this.connection) return;
    this.connection = state;
    this.notices?.tell(state);
    this.emit("connection", { connected: state === "ok", state });
  }

  deadline() {
    if (this.expiresAt === null) return null;
    const at = Date.parse(this.expiresAt);
    return { expiresAt: new Date(at), millisecondsLeft: Math.max(0, at - this.clock.now()) };
  }

  emit(name, detail) {
    for (const listener of this.listeners[name]) parts.guarded(listener)(detail);
  }

  forCommands() {
    return {
      heart: this.heart,
      buffer: this.buffer,
      notices: this.notices,
      texts: this.config.texts,
      leavesBecauseOf: (answer) => this.leavesBecauseOf(answer),
      leave: () => this.leave(),
      tell: (command) => this.emit("command", { ...command }),
    };
  }

  // Resolves to whether nothing is left to send.
  async flush() {
    if (!(await this.heart.beat()) && !this.heart.stopped) return false;
    return this.heart.drain();
  }
}

function publish(page) {
  const own = parts.guarded;
  const question = ({ itemId, number, data } = {}) => ({ item_id: itemId, question_number: number, data });
  Object.assign(proctoring, {
    attempt: page.config.attempt,
    beats: page.config.beats,
    pageVisited: own((itemId) => page.notice(parts.TYPES.pageVisited, { item_id: itemId })),
    questionVisited: own((which) => page.notice(parts.TYPES.questionVisited, question(which))),
    questionAnswered: own((which) => page.notice(parts.TYPES.questionAnswered, question(which))),
    report: own((type, { itemId, number, error, reasonCode, reasonMessage, data } = {}) =>
      page.note(type, { ...question({ itemId, number, data }), error, reason_code: reasonCode, reason_message: reasonMessage })),
    on: own((name, listener) => {
      page.listeners[name]?.add(listener);
      return () => page.listeners[name]?.delete(listener);
    }),
    deadline: own(() => page.deadline()),
    flush: () => page.flush().catch(() => false),
  });
}

parts.guarded(() => {
  const element = document.getElementById("proctoring-page");
  if (!element || proctoring.attempt) return;
  const page = new AttemptPage(JSON.parse(element.textContent));
  publish(page);
  page.begin();
  document.dispatchEvent(new CustomEvent("proctoring:ready"));
  const note = parts.guarded((type, fields) => page.notice(type, fields));
  if (page.config.beats) parts.watchPage(page.config, note, proctoring);
})();
