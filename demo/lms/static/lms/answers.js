// Saves an answer while it is typed, a moment after the last key, and when its field is left. Without this script the
// buttons do the same.

const PAUSE = 1_000;
const CSRF_COOKIE = "demo_csrf";
const texts = {
  typing: "not saved yet",
  saving: "saving …",
  saved: "saved",
  failed: "NOT saved: try again with the button",
};

// The cookie's token, not the page's: logging in again, in another tab, makes the one in the page worthless.
function contents(form) {
  const data = new FormData(form);
  const cookie = document.cookie.split("; ").find((one) => one.startsWith(`${CSRF_COOKIE}=`));
  if (cookie) data.set("csrfmiddlewaretoken", cookie.slice(CSRF_COOKIE.length + 1));
  return data;
}

async function isSaved(form) {
  try {
    const options = { method: "POST", body: contents(form), headers: { Accept: "application/json" }, keepalive: true };
    return (await fetch(form.action, options)).status === 204;
  } catch {
    return false;
  }
}

function differs(form) {
  return [...form.elements].some((field) => {
    if (field.type === "radio" || field.type === "checkbox") return field.checked !== field.defaultChecked;
    return ["text", "textarea", "number"].includes(field.type) && field.value !== field.defaultValue;
  });
}

class Answer {
  constructor(form) {
    this.form = form;
    this.line = form.querySelector("[data-saved]");
    this.unsaved = false;
    this.sending = false;
    form.addEventListener("input", () => this.typed());
    form.addEventListener("change", () => this.save());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
    // Somebody may answer before this script has arrived, and a browser may bring back what was typed before a reload.
    if (differs(form)) this.typed();
  }

  typed() {
    this.unsaved = true;
    this.say(texts.typing);
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.save(), PAUSE);
  }

  // One request after the other: an earlier text must not arrive after a later one.
  async save() {
    clearTimeout(this.waiting);
    this.unsaved = true;
    if (this.sending) return;
    this.sending = true;
    let saved = true;
    while (this.unsaved && saved) {
      this.unsaved = false;
      this.say(texts.saving);
      saved = await isSaved(this.form);
    }
    this.sending = false;
    this.unsaved ||= !saved;
    this.say(saved ? texts.saved : texts.failed);
  }

  flush() {
    if (this.unsaved) this.save();
  }

  say(text) {
    if (this.line.textContent !== text) this.line.textContent = text;
  }
}

const answers = [...document.querySelectorAll(".question")]
  .filter((form) => form.querySelector("[data-saved]"))
  .map((form) => new Answer(form));

function flush() {
  for (const answer of answers) answer.flush();
}

// The time is almost over, and answers are still taken. At "proctoring:leave" it would be too late.
document.addEventListener("proctoring:closing", flush);
window.addEventListener("pagehide", flush);
window.addEventListener("online", flush);
