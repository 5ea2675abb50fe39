/** Live pages that nobody looks at: they leave their group, and draw nothing. */

/**
 * Join the group, and do each task every so many ms, the first at once too, as long as somebody looks.
 *
 * @param {import("./client.js").FanoutClient} client
 * @param {string} group
 * @param {() => void} begin what comes first, each time
 * @param {[task: () => void, ms: number][]} tasks
 */
export function whileVisible(client, group, begin, ...tasks) {
  /** @type {ReturnType<typeof setInterval>[]} */ let timers = [];
  const look = () => {
    for (const timer of timers) clearInterval(timer);
    timers = [];
    if (document.hidden) {
      client.leave(group).catch(() => {}); // a connection that is lost right now leaves, too
      return;
    }
    begin();
    client.join(group).catch((error) => client.report(error));
    timers = tasks.map(([task, ms]) => setInterval(task, ms));
    tasks[0][0]();
  };
  document.addEventListener("visibilitychange", look);
  look();
}
