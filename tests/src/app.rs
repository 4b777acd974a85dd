//! A platform of one's own, on free ports and an empty folder.

use std::{path::Path, sync::Arc, time::Duration};

use local::{Options, Platform};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use crate::{Answer, PASSWORD, Person};

/// A running platform; it ends with the last handle on it.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
}

/// So many platforms run at a time: each request has three seconds, and a machine has only so many processors. A test may
/// have one at a time: whoever waits for a second while holding one could wait for ever.
const ROOMS: u32 = 3;
static ROOM: Semaphore = Semaphore::const_new(ROOMS as usize);

struct Inner {
    room: SemaphorePermit<'static>,
    url: String,
    aws_endpoint: String,
    client: Client,
    folder: TempDir,
    platform: Mutex<Option<Platform>>,
}

impl App {
    /// Starts one. `ACCOUNT_TEST_AWS` names an external emulator to use instead of the embedded stand-ins.
    pub async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), 1).await
    }

    /// Starts one that has the machine to itself, for many requests at once.
    pub async fn alone() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), ROOMS).await
    }

    /// Starts one on a folder that may have been used before.
    async fn start_in(folder: TempDir, rooms: u32) -> Self {
        let room = ROOM.acquire_many(rooms).await.unwrap();
        let aws = std::env::var("ACCOUNT_TEST_AWS").ok().map(|url| url.parse().unwrap());
        let data = folder.path().join("data");
        let platform = Platform::start(Options { port: 0, data, aws }).await.unwrap();
        let aws_endpoint = platform.aws_endpoint(domain::region::Region::Us).unwrap();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let url = platform.url();
        Self {
            inner: Arc::new(Inner {
                room,
                url,
                aws_endpoint,
                client,
                folder,
                platform: Mutex::new(Some(platform)),
            }),
        }
    }

    /// Stops it, and starts another on the same folder.
    pub async fn restart(self) -> Self {
        self.stop().await;
        let inner =
            Arc::into_inner(self.inner).expect("somebody still uses the platform that is to be restarted");
        let folder = inner.folder;
        drop(inner.room);
        Self::start_in(folder, 1).await
    }

    /// Stops it and lets go of its files.
    pub async fn stop(&self) {
        if let Some(platform) = self.inner.platform.lock().await.take() {
            platform.stop().await;
        }
    }

    /// The entry point's address.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// The address of the stand-ins for AWS.
    pub fn aws_endpoint(&self) -> &str {
        &self.inner.aws_endpoint
    }

    /// The data folder.
    pub fn data(&self) -> std::path::PathBuf {
        Path::join(self.inner.folder.path(), "data")
    }

    /// A request to a path, still to be filled.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.inner.client.request(method, format!("{}{path}", self.inner.url))
    }

    /// Sends a request.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        Answer::of(request.send().await.unwrap()).await
    }

    /// Asks as nobody in particular.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// Sends JSON as nobody in particular.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body)).await
    }

    /// A person with an account and a workspace.
    pub async fn user(&self, handle: &str) -> Person {
        let person = self.newcomer(handle).await;
        let form = json!({ "username": handle, "displayName": handle.to_uppercase() });
        person.post("/api/onboarding", form).await.expect(201);
        person
    }

    /// A person with an account, before onboarding.
    pub async fn newcomer(&self, handle: &str) -> Person {
        let email = format!("{handle}@people.example");
        self.sign_up(&email).await.expect(202);
        let code = self.code(&email).await;
        let answer = self.post("/api/auth/verify", json!({ "email": email, "code": code })).await.expect(200);
        Person::new(self.clone(), handle, &email, &answer)
    }

    /// Begins an account in `us`.
    pub async fn sign_up(&self, email: &str) -> Answer {
        self.post("/api/auth/sign-up", json!({ "email": email, "password": PASSWORD, "region": "us" })).await
    }

    /// Signs in.
    pub async fn sign_in(&self, email: &str, password: &str) -> Answer {
        self.post("/api/auth/sign-in", json!({ "email": email, "password": password })).await
    }

    /// The mail that went to an address so far, newest first.
    pub async fn mail(&self, to: &str) -> Vec<Value> {
        let request = self.request(Method::GET, "/_local/mail").query(&[("to", to)]);
        self.send(request).await.expect(200).body.as_array().cloned().unwrap()
    }

    /// The newest mail of a kind, once it has come.
    pub async fn mail_of_kind(&self, to: &str, kind: &str) -> Value {
        for _ in 0..500 {
            let mail = self.mail(to).await;
            if let Some(found) = mail.into_iter().find(|mail| mail["kind"] == kind) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no mail of kind {kind} came");
    }

    /// The newest code that was mailed to an address, once it has come.
    pub async fn code(&self, email: &str) -> String {
        let mail = self.mail_of_kind(email, "sign-up-code").await;
        digits(mail["text"].as_str().unwrap())
    }

    /// Waits until so many codes have come, and gives them, newest first.
    pub async fn codes(&self, email: &str, count: usize) -> Vec<String> {
        for _ in 0..500 {
            let mail = self.mail(email).await;
            let codes: Vec<&Value> = mail.iter().filter(|mail| mail["kind"] == "sign-up-code").collect();
            if codes.len() >= count {
                return codes.iter().map(|mail| digits(mail["text"].as_str().unwrap())).collect();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{count} codes did not come");
    }

    /// Moves the clock.
    pub async fn advance(&self, seconds: i64) {
        self.post("/_local/clock", json!({ "advanceSeconds": seconds })).await.expect(200);
    }

    /// The AWS calls after the `since`th.
    pub async fn calls(&self, since: u64) -> Vec<Value> {
        self.get(&format!("/_local/calls?since={since}")).await.expect(200).body.as_array().cloned().unwrap()
    }

    /// The AWS calls of one function after the `since`th.
    pub async fn calls_of(&self, function: &str, since: u64) -> Vec<Value> {
        let mut calls = self.calls(since).await;
        calls.retain(|call| call["function"] == function);
        calls
    }

    /// The number of the last AWS call so far.
    pub async fn last_call(&self) -> u64 {
        self.calls(0).await.last().and_then(|call| call["n"].as_u64()).unwrap_or(0)
    }

    /// Plans faults.
    pub async fn faults(&self, plan: Value) {
        self.post("/_local/faults", plan).await.expect(204);
    }

    /// Clears the plan.
    pub async fn no_faults(&self) {
        self.send(self.request(Method::DELETE, "/_local/faults")).await.expect(204);
    }

    /// The store on this platform's tables, for what no endpoint shows.
    pub fn tables(&self) -> aws_sdk_dynamodb::Client {
        let credentials = local::credentials("tests");
        let endpoint = lambda::Endpoint { url: Some(self.aws_endpoint().to_owned()), credentials };
        let sdk = lambda::sdk_config(domain::region::Region::Us.aws(), &endpoint, lambda::http_client());
        aws_sdk_dynamodb::Client::new(&sdk)
    }
}

fn digits(text: &str) -> String {
    text.chars().skip_while(|c| !c.is_ascii_digit()).take(6).collect()
}
