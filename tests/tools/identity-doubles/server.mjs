// Identity providers that others wrote: Google and GitHub of `emulate`, and `oauth2-mock-server`. Prints their URLs as a line of
// JSON, and ends when its standard input does.
import { createServer } from 'node:net';
import { createEmulator } from 'emulate';
import { Events, OAuth2Server } from 'oauth2-mock-server';

function freePort() {
    return new Promise((resolve) => {
        const server = createServer().listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => resolve(port));
        });
    });
}

// The default users of this GitHub have no address that mail can be sent to.
const seed = { github: { users: [{ login: 'ada', name: 'Ada', email: 'ada-at-github@people.example' }] } };
const google = await createEmulator({ service: 'google', port: await freePort() });
const github = await createEmulator({ service: 'github', port: await freePort(), seed });

const mock = new OAuth2Server();
await mock.issuer.keys.generate('RS256');
await mock.start(0, '127.0.0.1');
mock.service.on(Events.BeforeTokenSigning, (token) => {
    Object.assign(token.payload, { email: 'mock@people.example', email_verified: true });
});

console.log(JSON.stringify({ google: google.url, github: github.url, mock: mock.issuer.url }));
process.stdin.on('end', () => process.exit(0)).resume();
