// Node.js 20 or later.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";

const { API_URL, DATASINK_USER, DATASINK_PASSWORD } = process.env;
const credentials = Buffer.from(`${DATASINK_USER}:${DATASINK_PASSWORD}`).toString("base64");

// Sends a body, and sends it again after 408, 429, 5xx and network faults.
async function post(path, body, tries = 6) {
  const headers = {
    "Authorization": `Basic ${credentials}`,
    "Content-Type": "application/octet-stream",
    "Content-Encoding": "gzip",
    "Idempotency-Key": randomUUID(), // the same for all tries
  };
  const compressed = gzipSync(body);
  for (let i = 0; ; i++) {
    let failure;
    try {
      const response = await fetch(`${API_URL}/archives/${path}`, { method: "POST", headers, body: compressed, signal: AbortSignal.timeout(10_000) });
      if (response.status === 202) return await response.json();
      failure = new Error(`${response.status}: ${await response.text()}`);
      if (response.status !== 408 && response.status !== 429 && response.status < 500) i = tries;
    } catch (error) {
      failure = error;
    }
    if (i >= tries - 1) throw failure;
    await sleep(Math.random() * 100 * 2 ** i);
  }
}

console.log(await post("orders", JSON.stringify({ from: "javascript", n: 1 })));

const lines = [2, 3, 4].map((n) => JSON.stringify({ from: "javascript", n }));
const answer = await post("orders/batch", lines.map((line) => line + "\n").join(""));
if (answer.records !== lines.length) throw new Error(JSON.stringify(answer));
console.log(answer);
