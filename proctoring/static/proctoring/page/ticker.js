// A worker that only counts: browsers wake the timers of a page that lies behind others once a minute, which the server
// would take for silence. Workers are not held back.
let waiting;
onmessage = (event) => {
  clearTimeout(waiting);
  waiting = setTimeout(() => postMessage("now"), event.data);
};
