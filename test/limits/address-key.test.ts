import assert from "node:assert/strict";
import { it } from "node:test";

import { addressKey } from "../../src/limits/address-key.ts";

const CASES: readonly (readonly [string, string])[] = [
  ["192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:0db8:0001:0002:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["0000:0000:0000:0000:0000:ffff:c000:0201", "192.0.2.1"],
  ["192.0.2.1:40000", "192.0.2.1"],
  [" 192.0.2.1 ", "192.0.2.1"],
  ["[2001:db8::1]:40000", "2001:db8:0:0::/64"],
  ["[2001:db8::1]", "2001:db8:0:0::/64"],
  ["2001:db8:1:2:3:4:5:6:40000", "2001:db8:1:2::/64"],
  ["[::ffff:192.0.2.1]:40000", "192.0.2.1"],
  ["::ffff:192.0.2.1:40000", "192.0.2.1"],
  ["[192.0.2.1]:40000", "192.0.2.1"],
  ["[client]:40000", "[client]:40000"],
  ["client:40000", "client:40000"],
  ["unix:/run/app", "unix:/run/app"],
  ["client 7", "client 7"],
];

for (const [address, key] of CASES) {
  it(`limits ${address} as ${key}`, () => assert.equal(addressKey(address), key));
}
