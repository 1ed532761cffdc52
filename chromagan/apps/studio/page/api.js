// What the page asks of the studio. The key comes behind the # of the address and goes into a header, never into a URL.

const hash = location.hash.slice(1);
if (hash) {
  sessionStorage.setItem("key", hash);
  history.replaceState(null, "", location.pathname);
}
const key = sessionStorage.getItem("key") ?? "";
let desk = "";

export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function post(path, body, extra = {}) {
  let answer;
  try {
    answer = await fetch(`api/${path}`, { method: "POST", body, headers: { Authorization: `Bearer ${key}`, "X-Desk": desk }, ...extra });
  } catch {
    throw new Refused("the studio does not answer; is it still running?", 0);
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let words = text;
  try { words = JSON.parse(text).error; } catch { /* words as they are */ }
  throw new Refused(words, answer.status);
}

export async function enter() {
  const listing = await (await post("enter")).json();
  desk = listing.desk;
  return listing;
}

export const ask = async (what, values) => (await post(what, JSON.stringify(values))).json();
export const picture = async (what, values) => createImageBitmap(await (await post(what, JSON.stringify(values))).blob());
export const upload = async (file, as) => (await post(`upload?name=${encodeURIComponent(file.name)}&as=${as}`, file)).json();
export const file = async (photo) => (await post("file", JSON.stringify({ photo }))).blob();
export const leave = () => desk && post("leave", null, { keepalive: true }).catch(() => {});
