/** Status: which store and why, true counts, and no password anywhere. */
import { expect, test } from "vitest";
import { failureOf } from "../driver.ts";
import type { Target } from "../target.ts";

export function status(target: Target): void {
  test("names the store and counts this board alone", async () => {
    const board = await target.open();
    const other = await target.open();
    await (await target.aside(other)).publish("elsewhere", "1");
    await (await target.aside(other)).set("elsewhere", "1");
    const seeder = await target.aside(board);
    for (const key of ["a", "b", "c"]) await seeder.set(key, key);
    for (const channel of ["x", "x", "y"]) await seeder.publish(channel, "message");
    await board.subscribe(["x", "*"]);
    const found = await board.status();
    expect(found.store).toBe(target.store);
    expect(found.why).toMatch(/\w/);
    expect(found.stores).toHaveLength(1);
    const expected = { store: target.store, keys: 3, messages: 3, channels: 2, followers: 1, unsynced: 0 };
    expect(found.stores[0]).toMatchObject(expected);
  });

  test("has a shape programs can rely on", async () => {
    const board = await target.open();
    const store = (await board.status()).stores[0];
    const counts = ["keys", "messages", "channels", "followers", "locks", "unsynced"];
    const fields = ["store", "place", "latencyMs", ...counts, "facts"];
    expect(Object.keys(store ?? {}).sort()).toEqual(fields.sort());
    expect(store).toMatchObject(Object.fromEntries(counts.map((name) => [name, 0])));
    expect(store?.latencyMs).toBeGreaterThan(0);
    expect(store?.latencyMs).toBeLessThan(5000);
    const { place } = target;
    expect(store?.place).toBe(place.store === "redis" ? place.url : `${place.dataDir}/board.db`);
    for (const fact of Object.values(store?.facts ?? {})) expect(["string", "number"]).toContain(typeof fact);
  });

  test("never shows a password, wherever it came from", async () => {
    const password = "pa55-w0rd/#%";
    const guarded = await target.guardedPlace(password);
    expect(await (await target.open({ place: guarded })).toldStatus()).not.toContain("pa55");
    const url = guarded.url?.replace("guarded@", `guarded:${encodeURIComponent(password)}@`);
    const { password: _, ...bare } = guarded;
    const inUrl = { ...bare, ...(url === undefined ? {} : { url }) };
    expect(await (await target.open({ place: inUrl })).toldStatus()).not.toContain("pa55");
  });

  test("with a wrong password is an error that does not show it; the file needs none", async () => {
    const place = { ...(await target.guardedPlace("right-pa55")), password: "wrong-pa55" };
    const look = async () => (await target.open({ place })).toldStatus();
    if (target.store === "memory") {
      expect(await look()).not.toContain("pa55");
      return;
    }
    const failure = await failureOf(look());
    expect(failure.kind).toBe("config");
    expect(failure.told).not.toContain("pa55");
  });
}
