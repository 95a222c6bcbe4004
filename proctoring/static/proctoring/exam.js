// Keeps an exam's page, or the bar in the LMS's own page, in step with the server. It shows; it never decides:
// the clock here only counts down between two answers of the server, and nothing stays open because of it. While an
// exam runs the answers are those to heartbeats (proctoring.js); the state is asked for where they tell of a change,
// and where they stay away.

const REQUEST_TIMEOUT = 10_000;
const AFTER_ZERO = 1_000;
const SLOWER = 1.3;
const SLOWEST = 60_000;
const MINUTE = 60;
const CLOSING = 5_000;
const SEND_AGAIN = 10_000;
const REST = 30_000;
const RELOADS_BEFORE_REST = 3;
const BEATS_MISSED = 3;
const BEAT_PATIENCE = 3_000;

function clock(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${two(minutes)}:${two(seconds % 60)}`;
}

class Timer {
  constructor(element, texts, onClosing, onZero) {
    this.element = element;
    this.texts = texts;
    this.onClosing = onClosing;
    this.onZero = onZero;
    this.low = Number(element.dataset.low);
    this.critical = Number(element.dataset.critical);
    this.said = null;
    this.ended = false;
    this.closing = false;
    this.endsAt = null;
    if (element.dataset.secondsLeft) this.set(Number(element.dataset.secondsLeft) * 1000);
    setInterval(() => this.show(), 250);
    this.show();
  }

  // The monotonic clock: changing the computer's own time moves nothing.
  set(millisecondsLeft) {
    this.endsAt = performance.now() + millisecondsLeft;
    this.ended = false;
    if (millisecondsLeft > 2 * CLOSING) this.closing = false;
  }

  stop() {
    this.endsAt = null;
  }

  show() {
    if (this.endsAt === null) return;
    const left = this.endsAt - performance.now();
    const seconds = Math.max(0, Math.floor(left / 1000));
    this.element.querySelector("[data-timer-value]").textContent = clock(seconds);
    this.announce(seconds);
    if (left <= CLOSING && !this.closing) {
      this.closing = true;
      this.onClosing(seconds);
    }
    if (seconds === 0 && !this.ended) {
      this.ended = true;
      this.onZero();
    }
  }

  // Once for each level, not each second: a screen reader must not talk over the exam.
  announce(seconds) {
    const level =
      seconds === 0 ? "over" : seconds <= MINUTE ? "minute" : seconds <= this.critical ? "critical"
        : seconds <= this.low ? "low" : "";
    if (level === this.said) return;
    const first = this.said === null;
    this.said = level;
    this.element.dataset.level = level;
    const { textLow, textCritical, textOver, textLeft } = this.texts;
    const words = { over: textOver, minute: textCritical, critical: textCritical, low: textLow }[level] ?? "";
    this.element.querySelector("[data-timer-level]").textContent = words;
    if (level || !first) {
      const left = textLeft.replace("{minutes}", String(Math.ceil(seconds / 60)));
      this.element.querySelector("[data-timer-announcement]").textContent = level === "over" ? textOver : left;
    }
  }
}

// How often this page may load itself anew because of an answer. A page that was loaded for a version and still shows
// another one (a cache, two releases at once), or that keeps on changing, rests: otherwise it would load for ever.
class Reloads {
  constructor(page, version) {
    this.name = `proctoring:reloads:${page}`;
    this.opened = performance.now();
    const { times, expected } = this.read();
    this.times = times;
    this.missed = expected !== null && expected !== version;
    if (!this.missed) this.settle();
  }

  // Where nothing can be kept, a page must have been open for a while.
  allowed() {
    if (this.times === null) return performance.now() - this.opened > REST;
    return this.recent().length < (this.missed ? 1 : RELOADS_BEFORE_REST);
  }

  note(expected) {
    this.keep([...this.recent(), Date.now()], expected ?? "");
  }

  // The page shows what the server says.
  settle() {
    this.missed = false;
    if (this.recent().length) this.keep(this.recent(), null);
  }

  recent() {
    return (this.times ?? []).filter((time) => Math.abs(Date.now() - time) < REST);
  }

  read() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.name));
      return Array.isArray(kept?.times) ? kept : { times: [], expected: null };
    } catch {
      return { times: null, expected: null };
    }
  }

  keep(times, expected) {
    try {
      sessionStorage.setItem(this.name, JSON.stringify({ times, expected }));
    } catch {
      // See allowed().
    }
  }
}

class Watch {
  constructor(element) {
    this.element = element;
    this.texts = element.dataset;
    this.every = Number(element.dataset.every) * 1000;
    this.version = element.dataset.version;
    this.isPage = element.dataset.proctoringWatch === "page";
    this.reloads = this.isPage ? new Reloads(element.dataset.pageUrl, this.version) : null;
    this.offline = false;
    this.leaving = false;
    this.unanswered = 0;
    this.notBefore = 0;
    this.beatsUntil = 0;
    this.expiresAt = null;
    const timer = element.querySelector("[data-timer]");
    this.timer = timer && new Timer(timer, this.texts, (seconds) => this.closing(seconds), () => this.ask());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.askSoon();
    });
    window.addEventListener("online", () => this.askSoon());
    document.addEventListener("proctoring:heartbeat", (event) => this.heard(event.detail));
    this.ask();
  }

  // Where heartbeats go out, one goes out now, and what it brings is done before the page may leave.
  askSoon() {
    if (!window.proctoring?.beats) {
      this.ask();
      return;
    }
    this.wantedSince = performance.now();
    this.wanted ??= setTimeout(() => this.askWanted(), BEAT_PATIENCE);
  }

  askWanted() {
    clearTimeout(this.wanted);
    this.wanted = null;
    this.ask();
  }

  // As long as heartbeats come, nothing else is asked by the clock.
  heard({ answer, sent, roundTrip, rendered, settled }) {
    if (this.leaving) return;
    const patience = Math.max(this.every, BEATS_MISSED * 1000 * answer.next_heartbeat_seconds);
    this.beatsUntil = performance.now() + patience;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.ask(), patience);
    const expiresAt = Date.parse(answer.expires_at);
    const moved = this.expiresAt !== null && !Object.is(this.expiresAt, expiresAt);
    const changed = answer.status !== (this.status ?? rendered) || moved;
    this.status = answer.status;
    this.count(answer, roundTrip);
    if (changed || (this.wanted && sent >= this.wantedSince)) settled.then(() => this.askWanted());
  }

  async ask() {
    const now = performance.now();
    if (this.leaving || now < this.notBefore) return;
    clearTimeout(this.waiting);
    const asked = (this.asked = now);
    const state = await this.fetchState();
    if (asked !== this.asked || this.leaving) return;
    this.tell(state === null);
    this.unanswered = state === null ? this.unanswered + 1 : 0;
    if (state) this.apply(state, performance.now() - asked);
    this.waiting = setTimeout(() => this.ask(), this.pause(state));
    if (!("steady" in this.element.dataset)) this.every = Math.min(SLOWEST, this.every * SLOWER);
  }

  pause(state) {
    if (state?.seconds_left === 0) return AFTER_ZERO;
    if (state) return Math.max(this.every, this.beatsUntil - performance.now());
    const slower = Math.min(SLOWEST, this.every * SLOWER ** (this.unanswered - 1));
    return Math.max(slower, this.notBefore - performance.now());
  }

  // The state; null where there is no answer: the server cannot be reached, is in trouble, wants to be left alone, or
  // something between here and there answered in its place. All of that is no reason to take the exam away. Only who
  // is logged out (401), or has no such exam any more (404), leaves for the exam's page, which explains it; from
  // questions that are being worked on not even who is logged out.
  async fetchState() {
    const abort = new AbortController();
    const limit = setTimeout(() => abort.abort(), REQUEST_TIMEOUT);
    try {
      const options = { headers: { Accept: "application/json" }, cache: "no-store", signal: abort.signal };
      const answer = await fetch(this.element.dataset.stateUrl, options);
      if (answer.ok) return readState(await answer.json());
      const staysHere = answer.status === 401 && !this.isPage && window.proctoring?.beats;
      if (staysHere) this.dispatch("proctoring:logged-out");
      else if (!answer.redirected && (answer.status === 401 || answer.status === 404)) this.leave(undefined);
      this.wait(answer.headers.get("Retry-After"));
      return null;
    } catch {
      return null;
    } finally {
      clearTimeout(limit);
    }
  }

  // The server may ask for patience, in seconds or as a date, but not for more than the slowest pace here.
  wait(retryAfter) {
    if (!retryAfter) return;
    const milliseconds = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
    if (milliseconds > 0) this.notBefore = performance.now() + Math.min(milliseconds, SLOWEST);
  }

  apply(state, roundTrip) {
    const version = this.isPage ? state.page_version : state.content_version;
    if (version === this.version) this.reloads?.settle();
    else if (this.leave(state)) return;
    this.dispatch("proctoring:logged-in");
    checkClock(Date.parse(state.server_time), roundTrip);
    if (this.timer && state.expires_at) {
      this.timer.low = state.low_threshold_seconds;
      this.timer.critical = state.critical_threshold_seconds;
    }
    this.count(state, roundTrip);
  }

  // The one timer of the page, by whichever answer came last.
  count({ expires_at: expires, server_time: now }, roundTrip) {
    this.expiresAt = Date.parse(expires);
    if (!this.timer) return;
    if (expires) this.timer.set(this.expiresAt - Date.parse(now) - roundTrip / 2);
    else this.timer.stop();
  }

  // A few seconds before the end, while the server still takes answers: the last moment to save what was typed.
  closing(seconds) {
    this.dispatch("proctoring:closing", { seconds_left: seconds });
  }

  // Goes to the exam's page, and says whether it does. The LMS hears of it first; the server has closed already.
  leave(state) {
    if (this.reloads && !this.reloads.allowed()) return false;
    this.reloads?.note(state?.page_version);
    this.leaving = true;
    this.dispatch("proctoring:leave", state);
    window.location.replace(this.element.dataset.pageUrl);
    return true;
  }

  dispatch(name, detail) {
    this.element.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  }

  // Where heartbeats go out, they know better.
  tell(offline) {
    // Where heartbeats tell, this one only takes its own word back.
    if (offline === this.offline || (offline && window.proctoring?.beats)) return;
    this.offline = offline;
    const line = this.element.querySelector("[data-connection]");
    line.textContent = offline ? this.texts.textOffline : this.texts.textOnline;
    line.dataset.offline = String(offline);
  }
}

function readState(answer) {
  const known = typeof answer?.page_version === "string" && typeof answer.content_version === "string";
  return known ? answer : null;
}

// Best effort, and no permission is asked for: the vendor's own software looks closer.
async function checkSystem() {
  const section = document.querySelector("[data-system-check]");
  if (!section) return;
  const { textFine, textMissing, textUnknown } = section.dataset;
  const say = (name, fine) => {
    const text = fine === null ? textUnknown : fine ? textFine : textMissing;
    section.querySelector(`[data-check="${name}"]`).textContent = text;
  };
  say("script", true);
  say("cookies", navigator.cookieEnabled);
  const kinds = await deviceKinds();
  say("camera", kinds && kinds.has("videoinput"));
  say("microphone", kinds && kinds.has("audioinput"));
}

async function deviceKinds() {
  if (!navigator.mediaDevices?.enumerateDevices) return null;
  try {
    return new Set((await navigator.mediaDevices.enumerateDevices()).map((device) => device.kind));
  } catch {
    return null;
  }
}

function checkClock(serverTime, roundTrip) {
  const section = document.querySelector("[data-system-check]");
  if (!section) return;
  const offset = Math.round((Date.now() - roundTrip / 2 - serverTime) / 1000);
  const text = Math.abs(offset) < 5 ? section.dataset.textFine
    : section.dataset.textClock.replace("{seconds}", String(Math.abs(offset)));
  section.querySelector('[data-check="clock"]').textContent = text;
}

// A second click on a form that is on its way would only meet a refusal. Where nothing came of the first one, because it
// was stopped or the connection is gone, the button must work again.
function guardForms() {
  for (const form of document.querySelectorAll(".proctoring-form")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) {
        event.preventDefault();
        return;
      }
      form.dataset.sent = "yes";
      setTimeout(() => delete form.dataset.sent, SEND_AGAIN);
    });
  }
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll(".proctoring-form")) delete form.dataset.sent;
  });
}

checkSystem();
guardForms();
for (const element of document.querySelectorAll("[data-proctoring-watch]")) new Watch(element);
