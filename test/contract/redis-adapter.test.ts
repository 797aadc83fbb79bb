import { networkInterfaces } from "node:os";
import { after, before, describe } from "node:test";

import { makeRedisAdapter } from "../../src/pubsub/adapters/redis.ts";
import { noRedis, TestRedis } from "../support/redis.ts";
import { describeAdapter } from "./adapter.contract.ts";

const clusterQueueBytes = 64 * 1_048_576;

for (const host of ["127.0.0.1", "::1"]) {
  describe(`over a real server at ${host}`, { skip: noRedis || noAddress(host) }, () => {
    let redis: TestRedis;
    let clusters = 0;
    before(async () => {
      redis = await TestRedis.start([], host);
    });
    after(() => redis.kill());

    describeAdapter("The Redis adapter", (nodeNames) => {
      clusters += 1;
      const clusterName = `contract-${clusters}`;
      return nodeNames.map((nodeName) =>
        makeRedisAdapter({ clusterUrl: redis.url, clusterName, nodeName, clusterQueueBytes }),
      );
    });
  });
}

/** Why a server cannot listen on an address here, or false if it can. */
function noAddress(host: string): string | false {
  const all = Object.values(networkInterfaces()).flat();
  return all.some((one) => one?.address === host) ? false : `this machine has no address ${host}`;
}
