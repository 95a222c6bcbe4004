// Requests of a page to the server, and what an answer means. It never raises, and it never waits for long.
const parts = ((window.proctoring ??= {}).parts ??= {});

const TIMEOUT = 10_000;
const MOST_PATIENCE = 300_000;

// Refusals that say who may, and nothing about what was sent: a login helps.
const STRANGER = new Set([401, 403, 404]);

class Line {
  constructor(config) {
    this.config = config;
    this.token = config.token;
    this.notBefore = 0;
  }

  // {kind: "ok", body, sent, roundTrip}, or one of: "none" (no answer of ours: no network, a server in trouble,
  // something in between), "large" (too much at once, whoever says so), "stranger" (we are not known, or not as the
  // candidate), "refused" (with status and code).
  async post(url, body, options = {}) {
    const sent = performance.now();
    const answer = await this.fetch(url, {
      method: "POST",
      body: JSON.stringify(body),
      headers: this.headers(),
      keepalive: Boolean(options.keepalive),
    });
    if (!answer) return { kind: "none" };
    const { status, json } = answer;
    if (answer.ok && json) return { kind: "ok", body: json, sent, roundTrip: performance.now() - sent };
    if (status === 413) return { kind: "large" };
    const ours = !answer.redirected && typeof json?.code === "string";
    if (!ours || status >= 500 || status === 429 || status === 408) {
      this.wait(answer.retryAfter);
      return { kind: "none" };
    }
    return STRANGER.has(status) ? { kind: "stranger" } : { kind: "refused", status, code: json.code };
  }

  // A new token from the session, where that is alive: after a login in another tab it is.
  async renew() {
    const answer = await this.fetch(this.config.urls.state, { headers: { Accept: "application/json" } });
    if (!answer?.ok || answer.json?.attempt !== this.config.attempt || !answer.json.page_token) return false;
    this.token = answer.json.page_token;
    return true;
  }

  async fetch(url, options) {
    const abort = new AbortController();
    const limit = setTimeout(() => abort.abort(), TIMEOUT);
    try {
      const rest = { cache: "no-store", credentials: "same-origin", signal: abort.signal };
      const answer = await fetch(url, { ...rest, ...options });
      const json = await answer.json().catch(() => null);
      const { ok, status, redirected } = answer;
      return { ok, status, redirected, json, retryAfter: answer.headers.get("Retry-After") };
    } catch {
      return null;
    } finally {
      clearTimeout(limit);
    }
  }

  // The token speaks for this page; without one, or when it is too old, the session does, with what guards forms.
  headers() {
    const { csrf } = this.config;
    const headers = { Accept: "application/json", "Content-Type": "application/json" };
    if (this.token) headers["X-Proctoring-Page"] = this.token;
    const token = readCookie(csrf.cookie) || csrf.token;
    if (token) headers[csrf.header] = token;
    return headers;
  }

  wait(retryAfter) {
    if (!retryAfter) return;
    const milliseconds = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
    if (milliseconds > 0) this.notBefore = performance.now() + Math.min(milliseconds, MOST_PATIENCE);
  }
}

function readCookie(name) {
  const found = document.cookie.split("; ").find((one) => one.startsWith(`${name}=`));
  return found ? found.slice(name.length + 1) : "";
}

parts.Line = Line;
