/**
 * The example of images: the official client sends a PNG and gets a smaller one back.
 *
 * Runs on: the test's thread; the server's shards are threads of the same process.
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Channel, Socket } from "phoenix";
import { PNG } from "pngjs";

import { serve } from "../../src/index.ts";
import { connectPhoenix, disconnect, join, push } from "../support/phoenix-client.ts";
import type { Server } from "../support/server.ts";

const RED = [255, 0, 0, 255];
const BLUE = [0, 0, 255, 255];

/** Makes an image with a red left half and a blue right half. */
function halves(width: number, height: number): ArrayBuffer {
  const image = new PNG({ width, height });
  for (let at = 0; at < width * height; at += 1) {
    image.data.set(at % width < width / 2 ? RED : BLUE, at * 4);
  }
  return Uint8Array.from(PNG.sync.write(image)).buffer;
}

function pixel({ data, width }: PNG, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * 4, (y * width + x + 1) * 4)];
}

describe("the example of images", () => {
  let server: Server;
  let socket: Socket;
  let studio: Channel;

  before(async () => {
    server = await serve({
      app: new URL("./images/app.js", import.meta.url),
      host: "127.0.0.1",
      port: 0,
      shards: 1,
      taskThreads: 1,
      logLevel: "silent",
    });
    socket = await connectPhoenix(server.port);
    studio = socket.channel("studio");
    await join(studio);
  });
  after(async () => {
    await disconnect(socket);
    await server.close();
  });

  it("makes a small image of a large one", async () => {
    const answer = (await push(studio, "thumbnail", halves(1_024, 512))) as ArrayBuffer;
    const small = PNG.sync.read(Buffer.from(answer));
    assert.deepEqual([small.width, small.height], [64, 32]);
    assert.deepEqual([pixel(small, 0, 0), pixel(small, 63, 31)], [RED, BLUE]);
  });

  it("does not change the size of an image that is already small", async () => {
    const answer = (await push(studio, "thumbnail", halves(6, 3))) as ArrayBuffer;
    const { width, height } = PNG.sync.read(Buffer.from(answer));
    assert.deepEqual([width, height], [6, 3]);
  });

  it("refuses anything but an image, and images that are too large", async () => {
    await assert.rejects(
      push(studio, "thumbnail", new Uint8Array([1, 2, 3]).buffer),
      /must be a PNG/,
    );
    const huge = halves(2, 2);
    new DataView(huge).setUint32(16, 100_000_000);
    await assert.rejects(push(studio, "thumbnail", huge), /at most 16000000 pixels/);
    await assert.rejects(push(studio, "thumbnail", {}), /a PNG must come as bytes/);
  });
});
