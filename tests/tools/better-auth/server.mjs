// A server with better-auth on SQLite in the process, for tests/tools/cpu to compare with.
//
//     node server.mjs DATABASE KEYS
//
// Creates one user with a session and KEYS API keys. Prints one line of JSON: the port, the session's cookie and the keys.
// GET /api/auth/get-session checks the cookie, or the API key in `x-api-key`.

import { createServer } from "node:http";
import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import Database from "better-sqlite3";

const [path, keyCount] = process.argv.slice(2);
const database = new Database(path);
database.pragma("journal_mode = WAL");

const options = {
  baseURL: "http://127.0.0.1",
  secret: "a secret of 32 characters or more, for measuring only",
  database,
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  // Requests of a key are counted, as the platform counts them, and never refused.
  plugins: [
    apiKey({
      enableSessionForAPIKeys: true,
      rateLimit: { enabled: true, timeWindow: 60_000, maxRequests: 1_000_000 },
    }),
  ],
};
await (await getMigrations(options)).runMigrations();
const auth = betterAuth(options);

const body = { email: "cpu@people.example", password: "a plain lamp above the desk", name: "cpu" };
const { headers, response } = await auth.api.signUpEmail({ body, returnHeaders: true });
const cookie = headers.getSetCookie().map((each) => each.split(";")[0]).join("; ");
const keys = [];
for (let made = 0; made < Number(keyCount); made += 1) {
  keys.push((await auth.api.createApiKey({ body: { userId: response.user.id } })).key);
}

const server = createServer(toNodeHandler(auth));
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port, cookie, keys })));
