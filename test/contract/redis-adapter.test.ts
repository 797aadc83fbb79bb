import { after, before, describe } from "node:test";

import { makeRedisAdapter } from "../../src/pubsub/adapters/redis.ts";
import { noRedis, TestRedis } from "../support/redis.ts";
import { describeAdapter } from "./adapter.contract.ts";

const clusterQueueBytes = 64 * 1_048_576;

describe("over a real server", { skip: noRedis }, () => {
  let redis: TestRedis;
  let clusters = 0;
  before(async () => {
    redis = await TestRedis.start();
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
