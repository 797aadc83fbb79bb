/**
 * Joins a channel of the official client, 1.5 or later, that resumes: each join asks for what follows the last
 * message.
 *
 * Runs on: a client, in a browser or elsewhere.
 */

/**
 * @param params - returns the join parameters of the app, for each join
 * @param onRecovered - called after each join with `{ recovered, count }`
 * @returns the channel, and the push of its join
 */
export function joinResuming(socket, topic, params, onRecovered) {
  let cursor = null;
  const channel = socket.channel(topic, () => ({ ...params(), history: cursor }));

  // A broadcast that arrives while the channel joins comes again after the join.
  const isMember = channel.isMember;
  channel.isMember = (t, event, ...rest) =>
    (t !== channel.topic || channel.state !== "joining" || event.startsWith("phx_")) &&
    isMember.call(channel, t, event, ...rest);

  // Kept broadcasts carry their offset as ref.
  channel.onMessage = (event, payload, ref) => {
    if (cursor && ref && !event.startsWith("phx_")) cursor.offset = ref;
    return payload;
  };

  const join = channel.join().receive("ok", ({ history }) => {
    // A server that does not keep the topic any more recovers nothing.
    const { epoch, offset, recovered = false, count = 0 } = history ?? {};
    cursor = history ? { epoch, offset } : null;
    onRecovered({ recovered, count });
  });
  return { channel, join };
}
