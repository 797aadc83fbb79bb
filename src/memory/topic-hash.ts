/**
 * Hash of a topic, with which all members find the same slot of the topic index.
 *
 * Each UTF-16 unit is combined by XOR and mixed by a multiplication and a shift. The last step is
 * the 32-bit finalizer of MurmurHash3 (Austin Appleby, public domain), so every bit of the result
 * depends on every unit. The hash does not resist deliberately chosen topics. That is acceptable,
 * because topics that share a slot only cause records to be sent to members without a subscriber.
 *
 * Runs on: any thread; all threads must use the same seed. Pure.
 */

/**
 * Hashes a topic. Allocates nothing.
 *
 * @param seed - an int32, random for each server
 * @returns an int32, negative for half of all topics
 */
export function topicHash(seed: number, topic: string): number {
  let hash = Math.imul(seed, 0x9e37_79b1) ^ Math.imul(topic.length + 1, 0xc2b2_ae35);
  for (let at = 0; at < topic.length; at += 1) {
    hash = Math.imul(hash ^ topic.charCodeAt(at), 0x5bd1_e995);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}
