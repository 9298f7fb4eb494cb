import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** What a connector writes, one text after the other, into its ConfigMap. */
export interface Publishing {
  /** Where the ConfigMap is, with its query. */
  readonly url: string;
  readonly token: string;
  readonly bodies: readonly string[];
  readonly pauseMilliseconds: number;
}

/** Runs beside the API server, so that no program's start lies between a write and its time. Prints when each was done. */
const { url, token, bodies, pauseMilliseconds } = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as Publishing;
const headers = { authorization: `Bearer ${token}`, "content-type": "application/apply-patch+yaml" };
const times: number[] = [];
for (const body of bodies) {
  const answer = await fetch(url, { method: "PATCH", headers, body, tls: { rejectUnauthorized: false } });
  times.push(performance.timeOrigin + performance.now());
  if (!answer.ok) throw new Error(`Cannot publish: ${answer.status} ${await answer.text()}`);
  await answer.text();
  await pause(pauseMilliseconds);
}
console.log(JSON.stringify(times));
