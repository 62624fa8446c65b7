// The slot wall: takes what changed from the station and puts it on the screen; opens a slot when its card is touched.

const SILENCE_MS = 3000; // the station says something every second; after three it is not heard
const STUCK_MS = 9000; // a stream that is open and silent so long is begun anew
const AGAIN_MS = 1500;

const at = (id) => document.getElementById(id);
const wall = at("wall"), strip = at("strip"), clock = at("clock"), said = at("said"), desk = at("desk"), body = at("desk-body");
const edition = clock.dataset.edition;

let heard = performance.now();
let stream = null;

// --- what changed ---------------------------------------------------------------------------------------------------

function parsed(html) {
  const made = document.createElement("template");
  made.innerHTML = html;
  return made.content.firstElementChild;
}

// The card itself stays where it is, with its focus and a touch that has just begun; what is in it is exchanged.
function put(id, html) {
  const now = parsed(html);
  const card = at(`card-${id}`);
  if (!card) {
    wall.append(now);
    return;
  }
  if (card.dataset.shows !== now.dataset.shows) say(now.dataset.say);
  for (const { name, value } of [...now.attributes]) if (card.getAttribute(name) !== value) card.setAttribute(name, value);
  card.replaceChildren(...now.childNodes);
}

function arrange(ids) {
  const wanted = new Set(ids.map((id) => `card-${id}`));
  for (const card of [...wall.children]) if (!wanted.has(card.id)) card.remove();
  ids.forEach((id, place) => {
    const card = at(`card-${id}`);
    if (card && wall.children[place] !== card) wall.insertBefore(card, wall.children[place] ?? null);
  });
  wall.dataset.columns = Math.max(1, Math.min(Number(wall.dataset.most), ids.length));
  const nothing = at("nothing");
  if (nothing) nothing.hidden = ids.length > 0;
}

const spoken = [];
function say(text) {
  spoken.push(text);
  if (spoken.length > 1) return; // several at once are said together
  setTimeout(() => { said.textContent = spoken.splice(0).join("。"); }, 400);
}

function show(id, is) {
  const banner = at(id);
  if (banner.hidden === is) banner.hidden = !is;
}

// --- the stream -----------------------------------------------------------------------------------------------------

function follow() {
  stream?.close();
  stream = new EventSource(clock.dataset.events);
  const on = (name, take) => stream.addEventListener(name, (event) => { heard = performance.now(); take(JSON.parse(event.data)); });
  on("hello", (told) => { if (told.edition !== edition) location.reload(); });
  on("shut", () => location.reload()); // the page itself says who may look at it
  on("card", (told) => put(told.id, told.html));
  on("order", (told) => arrange(told.ids));
  on("strip", (told) => { strip.innerHTML = told.html; });
  on("beat", (told) => {
    clock.textContent = told.time;
    show("banner-daemon", !told.answers);
    show("banner-link", false);
    document.body.dataset.link = told.answers ? "live" : "silent";
  });
}

setInterval(() => {
  const silent = performance.now() - heard;
  if (silent > SILENCE_MS) {
    show("banner-link", true);
    document.body.dataset.link = "lost";
  }
  // A browser gives up for good where it was refused once, and waits for ever on a connection that was cut silently.
  if (stream.readyState === EventSource.CLOSED ? silent > AGAIN_MS : silent > STUCK_MS) {
    if (silent > STUCK_MS) heard = performance.now() - SILENCE_MS - 1;
    follow();
  }
}, 500);

// --- a slot is opened -----------------------------------------------------------------------------------------------
// Whoever walks away leaves nothing open behind him: it closes when it was not touched for a while.

let idle = 0, opened = null, asked = 0;

function touched() {
  clearTimeout(idle);
  if (desk.open) idle = setTimeout(() => desk.close(), Number(desk.dataset.idle) * 1000);
}

async function load(url, how) {
  const mine = ++asked;
  desk.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { headers: { accept: "text/html" }, ...how });
    const text = await answer.text();
    if (mine !== asked) return;
    if (!answer.ok && answer.status !== 404) throw new Error(answer.statusText);
    const made = document.createElement("template");
    made.innerHTML = text;
    body.replaceChildren(made.content);
    const first = [".who input", ".business input:not([type=hidden])", "[data-close]"].map((each) => body.querySelector(each));
    first.find((each) => each)?.focus();
  } catch {
    if (mine === asked) show("banner-link", true);
  } finally {
    if (mine === asked) desk.removeAttribute("aria-busy");
    touched();
  }
}

wall.addEventListener("click", (event) => {
  const card = event.target.closest(".slot");
  if (!card) return;
  opened = card.id;
  body.replaceChildren();
  desk.showModal();
  load(`/wall/slot/${card.dataset.key}`);
});

desk.addEventListener("close", () => {
  asked += 1;
  body.replaceChildren(); // with the ticket that is in it
  clearTimeout(idle);
  at(opened)?.focus();
});

for (const kind of ["pointerdown", "keydown", "input"]) desk.addEventListener(kind, touched);

desk.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  load(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, event.submitter)) });
});

let field = null;
desk.addEventListener("focusin", (event) => { if (event.target.matches(".who input")) field = event.target; });

desk.addEventListener("click", (event) => {
  if (event.target === desk || event.target.closest("[data-close]")) {
    desk.close();
    return;
  }
  const key = event.target.closest("[data-digit], [data-back]");
  if (!key) return;
  if (!field?.isConnected) field = body.querySelector(".who input");
  field.value = "back" in key.dataset ? field.value.slice(0, -1) : field.value + key.dataset.digit;
});

// "Next" goes to the PIN while that is empty: one thumb, no keyboard.
desk.addEventListener("click", (event) => {
  const go = event.target.closest(".who .go");
  const pin = body.querySelector("#who-pin");
  if (go && pin && !pin.value && body.querySelector("#who-person").value) {
    event.preventDefault();
    pin.focus();
  }
});

follow();
