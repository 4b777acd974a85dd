//! A running platform for a test, on free ports and in an empty folder.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use domain::{region::Region, secret::Digest256};
use lambda::RangeUrl;
use local::{Options, Platform};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};

use crate::{
    Answer, PASSWORD, Person,
    report::{Stopwatch, home, leading_keys, region_down},
};

/// A running platform, as it looks to clients of one region's endpoint; it ends with the last handle on it.
#[derive(Clone)]
pub struct App {
    inner: Arc<Inner>,
    /// Where people sign up, if a test does not say.
    home: Region,
    /// Whose endpoint requests go to.
    endpoint: Region,
    /// The network that requests come from, if the test says so.
    network: Option<Ipv4Addr>,
}

/// So many platforms run at a time: each request has three seconds, and a machine has only so many processors. A test may
/// have one at a time: a test that waits for a second one while it holds the first could wait forever.
const ROOMS: u32 = 3;
/// The number of polls for mail, twenty milliseconds each: longer than a worker's lease on a message, which one that was slow
/// may have left.
const PATIENCE: usize = 4_000;
/// So many people have addresses of one company. A day gives 20 of them the credit for company addresses, and a test may open each
/// account twice.
const COLLEAGUES: usize = 8;
static ROOM: Semaphore = Semaphore::const_new(ROOMS as usize);

struct Inner {
    room: SemaphorePermit<'static>,
    stopwatch: Stopwatch,
    url: String,
    regions: BTreeMap<Region, Addresses>,
    client: Client,
    /// Clients of other networks.
    clients: std::sync::Mutex<BTreeMap<Ipv4Addr, Client>>,
    folder: TempDir,
    /// The addresses of people who signed up, by handle.
    newcomers: std::sync::Mutex<BTreeMap<String, String>>,
    platform: Mutex<Option<Platform>>,
    /// Which region's AWS refuses every call, and how many are claiming names just now, for which it has to be there.
    outage: Option<Region>,
    claiming: Mutex<usize>,
}

/// A region's endpoint, and its stand-ins for AWS.
struct Addresses {
    api: String,
    aws: String,
}

impl App {
    /// Starts one. Variables choose what the suite runs on:
    ///
    /// - `ACCOUNT_TEST_AWS`: an external emulator instead of the embedded stand-ins.
    /// - `ACCOUNT_TEST_BINARIES`: a folder with the functions' built binaries.
    /// - `ACCOUNT_TEST_LEADING_KEYS`: `per-batch` or `per-request`: the keys that batches, or batches and transactions, are
    ///   judged with.
    /// - `ACCOUNT_TEST_OUTAGE`: a region whose AWS refuses every call except while names are claimed.
    /// - `ACCOUNT_TEST_REGION`: the region that people live in. In an outage, tests take turns between the regions that are up.
    /// - `ACCOUNT_TEST_REPORT`: a file that gets a line for each platform, with how long it ran, and for each test left out.
    pub async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), 1).await
    }

    /// Starts one whose APIs and buckets pages of these origins may use.
    pub async fn allowing(origins: &[&str]) -> Self {
        let origins: Vec<String> = origins.iter().map(ToString::to_string).collect();
        Self::start_as(|options| Options { origins, ..options }).await
    }

    /// Starts one that has no address for feedback.
    pub async fn without_feedback() -> Self {
        Self::start_as(|options| Options { accepts_feedback: false, ..options }).await
    }

    /// Starts one that looks up new passwords in the service at `url`.
    pub async fn looking_up(url: &str) -> Self {
        let breached_passwords = Some(RangeUrl::parse(url).unwrap());
        Self::start_as(|options| Options { breached_passwords, ..options }).await
    }

    /// Starts one that runs its functions in its own process, whatever the variables say.
    pub async fn in_process() -> Self {
        Self::start_as(|options| Options { binaries: None, ..options }).await
    }

    /// Starts one that runs the functions' built binaries: those in `folder`, if no variable names others.
    pub async fn of_binaries(folder: &Path) -> Self {
        let binaries = Some(binaries().unwrap_or_else(|| folder.to_owned()));
        Self::start_as(|options| Options { binaries, ..options }).await
    }

    /// Starts one that has the machine to itself, for many requests at once.
    pub async fn alone() -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), ROOMS).await
    }

    /// Starts one on a folder that may have been used before.
    async fn start_in(folder: TempDir, rooms: u32) -> Self {
        Self::start_with(folder, rooms, |options| options).await
    }

    /// Starts one with other options.
    async fn start_as(change: impl FnOnce(Options) -> Options) -> Self {
        Self::start_with(tempfile::tempdir().unwrap(), 1, change).await
    }

    async fn start_with(folder: TempDir, rooms: u32, change: impl FnOnce(Options) -> Options) -> Self {
        let room = ROOM.acquire_many(rooms).await.unwrap();
        let stopwatch = Stopwatch::start();
        let aws = std::env::var("ACCOUNT_TEST_AWS").ok().map(|url| url.parse().unwrap());
        let (home, outage) = (home(), region_down());
        let data = folder.path().join("data");
        let leading_keys = leading_keys();
        let options = Options {
            port: 0,
            data,
            aws,
            binaries: binaries(),
            leading_keys,
            origins: Vec::new(),
            accepts_feedback: true,
            breached_passwords: None,
        };
        let platform = Platform::start(change(options)).await.unwrap();
        let addresses = |region| Addresses {
            api: platform.region_url(region),
            aws: platform.aws_endpoint(region).unwrap(),
        };
        let app = Self {
            inner: Arc::new(Inner {
                room,
                stopwatch,
                url: platform.url(),
                regions: Region::ALL.map(|region| (region, addresses(region))).into(),
                client: client(None),
                clients: Default::default(),
                folder,
                newcomers: Default::default(),
                platform: Mutex::new(Some(platform)),
                outage,
                claiming: Mutex::new(0),
            }),
            home,
            endpoint: home,
            network: None,
        };
        app.no_faults().await;
        app
    }

    /// The same platform for people who live in `region` and use its endpoint.
    pub fn living_in(&self, region: Region) -> Self {
        Self { home: region, endpoint: region, ..self.clone() }
    }

    /// The same platform through another region's endpoint.
    pub fn by_way_of(&self, region: Region) -> Self {
        Self { endpoint: region, ..self.clone() }
    }

    /// The same platform for somebody on a network of their own: every name is another.
    pub fn in_network(&self, name: &str) -> Self {
        Self { network: Some(address_of(name)), ..self.clone() }
    }

    /// The region whose endpoint requests go to.
    pub fn endpoint(&self) -> Region {
        self.endpoint
    }

    /// Where people sign up.
    pub fn home(&self) -> Region {
        self.home
    }

    /// Stops it, and starts another on the same folder.
    pub async fn restart(self) -> Self {
        self.stop().await;
        let inner =
            Arc::into_inner(self.inner).expect("somebody still uses the platform that is to be restarted");
        let folder = inner.folder;
        drop((inner.room, inner.stopwatch));
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

    /// The address of the API that requests go to.
    pub fn api_url(&self) -> &str {
        match self.endpoint {
            // The entry point is the first region's too.
            Region::Us => &self.inner.url,
            region => &self.inner.regions[&region].api,
        }
    }

    /// The address of the home's stand-ins for AWS.
    pub fn aws_endpoint(&self) -> &str {
        &self.inner.regions[&self.home].aws
    }

    /// The data folder.
    pub fn data(&self) -> std::path::PathBuf {
        Path::join(self.inner.folder.path(), "data")
    }

    /// A request to a path, still to be filled.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let server = if path.starts_with("/_local/") { self.url() } else { self.api_url() };
        self.client(self.network).request(method, format!("{server}{path}"))
    }

    fn client(&self, network: Option<Ipv4Addr>) -> Client {
        let Some(address) = network else { return self.inner.client.clone() };
        let mut clients = self.inner.clients.lock().unwrap();
        clients.entry(address).or_insert_with(|| client(Some(address))).clone()
    }

    /// Sends a request.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        Answer::of(request.send().await.unwrap()).await
    }

    /// Asks as nobody in particular.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// Sends JSON as nobody in particular. A form with an email address or a mailed token comes from a network of its
    /// own, if the test names no other: people who have nothing to do with each other share no limits.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        let person = ["email", "token"].iter().find_map(|member| body[*member].as_str());
        let network = self.network.or_else(|| person.map(address_of));
        let from = Self { network, ..self.clone() };
        self.send(from.request(Method::POST, path).json(&body)).await
    }

    /// A person with an account and a workspace. It is opened from a network of the person's own, if the test names no other: a
    /// network gets free credit for a few accounts a day only.
    pub async fn user(&self, handle: &str) -> Person {
        let person = self.newcomer(handle).await;
        let form = json!({ "username": handle, "displayName": handle.to_uppercase() });
        let network = self.network.or_else(|| Some(address_of(&person.email)));
        let opener = Person { app: Self { network, ..self.clone() }, ..person.clone() };
        self.claiming(opener.post("/api/onboarding", form)).await.expect(201);
        person
    }

    /// The address of a person who signed up, or who would be the first.
    pub fn email_of(&self, handle: &str) -> String {
        let newcomers = self.inner.newcomers.lock().unwrap();
        newcomers.get(handle).cloned().unwrap_or_else(|| format!("{handle}@people.example"))
    }

    /// An address for a newcomer. The first ones have addresses at `people.example`.
    fn employ(&self, handle: &str) -> String {
        let mut newcomers = self.inner.newcomers.lock().unwrap();
        let email = match newcomers.len() / COLLEAGUES {
            0 => format!("{handle}@people.example"),
            company => format!("{handle}@people-{company}.example"),
        };
        newcomers.insert(handle.to_owned(), email.clone());
        email
    }

    /// A person with an account, before onboarding.
    pub async fn newcomer(&self, handle: &str) -> Person {
        let email = self.employ(handle);
        let token = self.sign_up(&email).await.expect(202).text_at("/signUpToken");
        let code = self.code(&email).await;
        let answer = self.claiming(self.verify(&email, &code, &token)).await.expect(200);
        Person::new(self.clone(), handle, &email, &answer)
    }

    /// Runs what claims a name: the authority has to be there for that.
    pub async fn claiming<T>(&self, work: impl Future<Output = T>) -> T {
        if self.inner.outage.is_none() {
            return work.await;
        }
        let mut claiming = self.inner.claiming.lock().await;
        *claiming += 1;
        self.send(self.request(Method::DELETE, "/_local/faults")).await.expect(204);
        drop(claiming);
        let done = work.await;
        let mut claiming = self.inner.claiming.lock().await;
        *claiming -= 1;
        if *claiming == 0 {
            self.no_faults().await;
        }
        done
    }

    /// Begins an account at home.
    pub async fn sign_up(&self, email: &str) -> Answer {
        let form = json!({ "email": email, "password": PASSWORD, "region": self.home });
        self.post("/api/auth/sign-up", form).await
    }

    /// Enters a code with the token of its sign-up.
    pub async fn verify(&self, email: &str, code: &str, token: &str) -> Answer {
        let form = json!({ "email": email, "code": code, "signUpToken": token });
        self.post("/api/auth/verify", form).await
    }

    /// Signs in as somebody whose account is new, once the directory's replicas know of it.
    pub async fn first_sign_in(&self, email: &str) -> Answer {
        for _ in 0..20 {
            let answer = self.sign_in(email, PASSWORD).await;
            if answer.status == 200 {
                return answer;
            }
            // Guesses are slowed down, and this looks like one.
            self.advance(31).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{email} is known nowhere");
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
        for n in 1..PATIENCE {
            let mail = self.mail(to).await;
            if let Some(found) = mail.into_iter().find(|mail| mail["kind"] == kind) {
                return found;
            }
            self.wait_for_message(n).await;
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
        for n in 1..PATIENCE {
            let mail = self.mail(email).await;
            let codes: Vec<&Value> = mail.iter().filter(|mail| mail["kind"] == "sign-up-code").collect();
            if codes.len() >= count {
                return codes.iter().map(|mail| digits(mail["text"].as_str().unwrap())).collect();
            }
            self.wait_for_message(n).await;
        }
        panic!("{count} codes did not come");
    }

    /// Waits a moment for the effect of a message, for the `n`th time. On a busy machine a message may have failed: then it
    /// is delivered again.
    pub async fn wait_for_message(&self, n: usize) {
        if n.is_multiple_of(50) {
            self.redeliver().await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    /// Has failed messages delivered again now, and not after minutes of the clock.
    pub async fn redeliver(&self) {
        self.post("/_local/redeliver", json!({})).await.expect(200);
    }

    /// The number of messages in a queue at home: those that can be received, those that a function is handling, and those that
    /// failed and wait.
    pub async fn queue(&self, id: &str) -> (u64, u64, u64) {
        let queues = self.get("/_local/queues").await.expect(200);
        let of = |member| {
            let place = format!("/{}/account-platform-{id}/{member}", self.home);
            queues.body.pointer(&place).and_then(Value::as_u64).unwrap_or(0)
        };
        (of("visible"), of("handled"), of("waiting"))
    }

    /// Moves the clock.
    pub async fn advance(&self, seconds: i64) {
        self.post("/_local/clock", json!({ "advanceSeconds": seconds })).await.expect(200);
    }

    /// Has the clock stand still until it is moved, for what happens at a certain second.
    pub async fn stop_clock(&self) {
        self.post("/_local/clock", json!({ "stopped": true })).await.expect(200);
    }

    /// Waits until all replicas of the directory know the same.
    pub async fn replicated(&self) {
        for _ in 0..PATIENCE {
            let replicas = Region::ALL.map(|region| async move {
                let scan = self.living_in(region).tables().scan().table_name("account-directory");
                let items = scan.consistent_read(true).send().await.unwrap().items.unwrap_or_default();
                let items = items.into_iter().map(|item| serde_dynamo::from_item(item).unwrap());
                let mut items: Vec<String> = items.map(|item: Value| item.to_string()).collect();
                items.sort();
                items
            });
            let [first, second, third] = futures::future::join_all(replicas).await.try_into().unwrap();
            if first == second && second == third {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the directory's replicas stay different");
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

    /// Plans faults, beside the outage if the suite runs in one.
    pub async fn faults(&self, plan: Value) {
        let mut plan = plan.as_array().cloned().unwrap();
        plan.extend(self.inner.outage.map(outage).unwrap_or_default());
        self.post("/_local/faults", plan.into()).await.expect(204);
    }

    /// Clears the plan, but for the outage.
    pub async fn no_faults(&self) {
        self.faults(json!([])).await;
    }

    /// The secrets at home.
    pub fn secrets_manager(&self) -> aws_sdk_secretsmanager::Client {
        let credentials = local::outsider("tests");
        let endpoint = lambda::AwsEndpoint { url: Some(self.aws_endpoint().to_owned()), credentials };
        let sdk = lambda::patient_sdk_config(self.home.aws(), &endpoint, &lambda::HttpClient::new().unwrap());
        aws_sdk_secretsmanager::Client::new(&sdk)
    }

    /// Has one of the secrets at home rotated, or the rotation attempted again that was not completed.
    pub async fn rotate(&self, secret: &str) -> Answer {
        self.post(&format!("/_local/rotate/{secret}?region={}", self.home), json!({})).await
    }

    /// The tables at home, for what no endpoint shows.
    pub fn tables(&self) -> aws_sdk_dynamodb::Client {
        self.tables_of(self.home)
    }

    /// The tables of a region.
    pub fn tables_of(&self, region: Region) -> aws_sdk_dynamodb::Client {
        let credentials = local::outsider("tests");
        let endpoint =
            lambda::AwsEndpoint { url: Some(self.inner.regions[&region].aws.clone()), credentials };
        let sdk = lambda::patient_sdk_config(region.aws(), &endpoint, &lambda::HttpClient::new().unwrap());
        aws_sdk_dynamodb::Client::new(&sdk)
    }

    /// The queues at home.
    pub fn queues(&self) -> aws_sdk_sqs::Client {
        let credentials = local::outsider("tests");
        let endpoint = lambda::AwsEndpoint { url: Some(self.aws_endpoint().to_owned()), credentials };
        let sdk = lambda::patient_sdk_config(self.home.aws(), &endpoint, &lambda::HttpClient::new().unwrap());
        aws_sdk_sqs::Client::new(&sdk)
    }

    /// The files at home.
    pub fn files(&self) -> aws_sdk_s3::Client {
        let credentials = local::outsider("tests");
        let endpoint = lambda::AwsEndpoint { url: Some(self.aws_endpoint().to_owned()), credentials };
        let sdk = lambda::patient_sdk_config(self.home.aws(), &endpoint, &lambda::HttpClient::new().unwrap());
        let config = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// The bucket that they are in.
    pub fn bucket(&self) -> String {
        format!("account-{}-files", self.home)
    }

    /// Runs a scheduled worker at home now; what it answers.
    pub async fn run_worker(&self, function: &str) -> Value {
        self.try_worker(function).await.expect(200).body
    }

    /// The same, if it may fail.
    pub async fn try_worker(&self, function: &str) -> Answer {
        self.post(&format!("/_local/run/{function}?region={}", self.home), json!({})).await
    }

    /// The full name of one of them.
    pub fn table(&self, name: &str) -> String {
        format!("account-{}-{name}", self.home)
    }
}

/// A client whose requests come from an address, or from the usual one.
fn client(address: Option<Ipv4Addr>) -> Client {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none());
    client.local_address(address.map(Into::into)).build().unwrap()
}

/// The address of a network. Linux lets clients call from all of 127.0.0.0/8; elsewhere the limits are the same for all.
fn address_of(network: &str) -> Ipv4Addr {
    if !cfg!(target_os = "linux") {
        return Ipv4Addr::LOCALHOST;
    }
    let [a, b, c, _] = Digest256::of(network).first_bits().to_be_bytes();
    Ipv4Addr::new(127, a.max(1), b, c.clamp(2, 254))
}

/// The built binaries that the suite runs on, if it does.
pub fn binaries() -> Option<PathBuf> {
    std::env::var_os("ACCOUNT_TEST_BINARIES").map(PathBuf::from)
}

/// Every call to a region's AWS is refused.
pub fn outage(region: Region) -> Vec<Value> {
    let services = ["dynamodb", "kms", "secretsmanager", "ses", "events", "s3"];
    let refused = |service| json!({ "service": service, "region": region, "kind": "refused", "times": 0 });
    services.map(refused).into()
}

fn digits(text: &str) -> String {
    text.chars().skip_while(|c| !c.is_ascii_digit()).take(6).collect()
}
