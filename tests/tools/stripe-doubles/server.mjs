// Doubles of Stripe that others wrote: `localstripe`, and the one of `emulate`. Prints their URLs as a line of JSON, and ends when
// its standard input does.
//
//     node server.mjs PYTHON WEBHOOK SECRET
//
// PYTHON has localstripe installed. They send their events to WEBHOOK/localstripe and WEBHOOK/emulate, signed with SECRET.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { createEmulator } from 'emulate';

const [python, webhook, secret] = process.argv.slice(2);

function freePort() {
    return new Promise((resolve) => {
        const server = createServer().listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

// localstripe ends with its standard input, a pipe of this process.
async function startLocalstripe() {
    const script = join(dirname(fileURLToPath(import.meta.url)), 'localstripe_server.py');
    const server = spawn(python, ['-B', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    server.on('exit', () => process.exit(1));
    const { value: url } = await createInterface({ input: server.stdout })[Symbol.asyncIterator]().next();
    const body = new URLSearchParams({ url: `${webhook}/localstripe`, secret });
    const answer = await fetch(`${url}/_config/webhooks/platform`, { method: 'POST', body });
    if (!answer.ok) {
        throw new Error(`localstripe answered ${answer.status}`);
    }
    return url;
}

// emulate makes one-time prices only, and has no other way to give them an id.
const seed = {
    stripe: {
        products: [{ id: 'prod_pro', name: 'Pro' }],
        prices: [
            { id: 'price_month', product_name: 'Pro', currency: 'usd', unit_amount: 2900 },
            { id: 'price_year', product_name: 'Pro', currency: 'usd', unit_amount: 29000 },
        ],
        webhooks: [{ url: `${webhook}/emulate`, secret, events: ['*'] }],
    },
};
const localstripe = await startLocalstripe();
const emulate = await createEmulator({ service: 'stripe', port: await freePort(), seed });

console.log(JSON.stringify({ localstripe, emulate: emulate.url }));
process.stdin.on('end', () => process.exit(0)).resume();
