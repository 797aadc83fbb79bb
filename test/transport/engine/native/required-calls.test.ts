import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { nativeModule } from "../../../../src/transport/engine/engine.ts";
import { checkCalls } from "../../../../src/transport/engine/native/required-calls.ts";
import type { NativeApp, NativeModule } from "../../../../src/transport/engine/native/uws-types.ts";
import { noNative } from "../../../support/engine.ts";

const NO_NATIVE = await noNative();

const PACKAGE = { title: "uWebSockets.js of the app", version: "20.10.0", remedy: "get another" };

function throws(): never {
  throw new Error("boom\nmore");
}

describe("the calls of a native engine", { skip: NO_NATIVE }, () => {
  it("are all in the package that comes with Simurgh", () => {
    checkCalls(nativeModule(), PACKAGE);
  });

  it("are named if a package lacks them, with its version and the oldest that works", () => {
    const isClosed: boolean[] = [];
    const app = (): NativeApp => {
      const made = nativeModule().App();
      const old = { close: () => isClosed.push(Boolean(made.close())) };
      for (const name of ["filter", "listen", "publish", "ws", "any"] as const) {
        Object.assign(old, { [name]: made[name] });
      }
      return old as unknown as NativeApp;
    };
    assert.throws(() => checkCalls({ ...nativeModule(), App: app }, PACKAGE), {
      code: "SIM_ERR_ENGINE_UNAVAILABLE",
      message:
        "uWebSockets.js of the app lacks getDescriptor, addChildAppDescriptor, removeChildAppDescriptor (the oldest version that works is 20.57.0, and it is 20.10.0): get another",
    });
    assert.deepEqual(isClosed, [true]);
  });

  it("are all missing from another package", () => {
    const other = { ...PACKAGE, version: "" };
    const message =
      /^uWebSockets\.js of the app lacks App, SSLApp, us_listen_socket_close, .*\(the oldest version that works is 20\.57\.0\)/;
    for (const module of ["text", undefined, null, {}]) {
      assert.throws(() => checkCalls(module as NativeModule, other), {
        code: "SIM_ERR_ENGINE_UNAVAILABLE",
        message,
      });
    }
  });

  it("must create an app, and close it", () => {
    const failing: readonly object[] = [
      { App: throws },
      { App: () => ({ ...nativeModule().App(), close: throws }) },
      {
        get App(): never {
          return throws();
        },
      },
    ];
    for (const broken of failing) {
      const module = Object.create(nativeModule(), Object.getOwnPropertyDescriptors(broken));
      assert.throws(() => checkCalls(module as NativeModule, PACKAGE), {
        code: "SIM_ERR_ENGINE_UNAVAILABLE",
        message: "uWebSockets.js of the app cannot create an app (boom): get another",
      });
    }
    for (const nothing of [undefined, null, 1]) {
      const module = { ...nativeModule(), App: () => nothing } as unknown as NativeModule;
      assert.throws(() => checkCalls(module, PACKAGE), { message: /lacks getDescriptor, .*close/ });
    }
  });
});
