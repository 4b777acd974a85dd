//! A role is refused everything that its function's spec does not name.

use aws_sdk_dynamodb::{
    Client,
    error::ProvideErrorMetadata,
    types::{AttributeValue, Delete, KeysAndAttributes, Put, TransactWriteItem},
};
use domain::region::Region;
use kit::ItemKind;
use tests::{App, Person};

/// The tables, as a function of `home` gets at them in `region`.
fn as_function(app: &App, home: Region, function: &str, region: Region) -> Client {
    let url = Some(app.living_in(region).aws_endpoint().to_owned());
    let endpoint = lambda::AwsEndpoint { url, credentials: local::credentials(home, function) };
    Client::new(&lambda::patient_sdk_config(region.aws(), &endpoint, &lambda::HttpClient::new().unwrap()))
}

fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// `allowed`, or the error's code.
fn what<T, E: ProvideErrorMetadata>(outcome: Result<T, E>) -> String {
    outcome.map_or_else(|error| error.code().unwrap_or("?").to_owned(), |_| "allowed".to_owned())
}

const DENIED: &str = "AccessDeniedException";

struct Role {
    client: Client,
    who: Person,
}

impl Role {
    fn of(who: &Person, function: &str) -> Self {
        let home = who.app.home();
        Self { client: as_function(&who.app, home, function, home), who: who.clone() }
    }

    fn table(&self, kind: ItemKind) -> String {
        self.who.app.table(kind.table().as_str())
    }

    async fn gets(&self, kind: ItemKind) -> String {
        let request = self.client.get_item().table_name(self.table(kind));
        what(request.key("pk", text(kind.partition(self.who.id()))).key("sk", text("X")).send().await)
    }

    async fn gets_all(&self, kinds: &[ItemKind]) -> String {
        let keys = kinds.iter().map(|kind| {
            [("pk".to_owned(), text(kind.partition(self.who.id()))), ("sk".to_owned(), text("X"))].into()
        });
        let keys = KeysAndAttributes::builder().set_keys(Some(keys.collect())).build().unwrap();
        what(self.client.batch_get_item().request_items(self.table(kinds[0]), keys).send().await)
    }

    async fn queries(&self, kind: ItemKind) -> String {
        let request = self.client.query().table_name(self.table(kind));
        let request =
            request.key_condition_expression("#key = :key").expression_attribute_names("#key", "pk");
        let partition = text(kind.partition(self.who.id()));
        what(request.expression_attribute_values(":key", partition).send().await)
    }

    async fn deletes_session_and_puts(&self, kind: Option<ItemKind>) -> String {
        let (pk, sk) = (text(ItemKind::Sessions.partition(self.who.id())), text("X"));
        let delete = Delete::builder().table_name(self.table(ItemKind::Sessions)).key("pk", pk).key("sk", sk);
        let delete = TransactWriteItem::builder().delete(delete.build().unwrap()).build();
        let put = kind.map(|kind| {
            let put = Put::builder().table_name(self.table(kind)).item("pk", text(kind.partition("x")));
            TransactWriteItem::builder().put(put.item("sk", text("X")).build().unwrap()).build()
        });
        let items = std::iter::once(delete).chain(put).collect();
        what(self.client.transact_write_items().set_transact_items(Some(items)).send().await)
    }
}

#[tokio::test]
async fn a_role_reaches_only_the_kinds_of_items_that_it_is_granted() {
    let app = App::start().await;
    let who = app.newcomer("ada-roles").await;
    let reader = Role::of(&who, "settings-read");
    assert_eq!(reader.gets(ItemKind::Users).await, "allowed");
    assert_eq!(reader.gets(ItemKind::Passwords).await, DENIED);
    assert_eq!(reader.gets(ItemKind::Sessions).await, DENIED, "granted for another action");
    assert_eq!(reader.gets_all(&[ItemKind::Sessions]).await, "allowed");
    assert_eq!(reader.gets_all(&[ItemKind::Sessions, ItemKind::Passwords]).await, DENIED, "one of two");
    assert_eq!(reader.queries(ItemKind::Sessions).await, DENIED);
    let resetter = Role::of(&who, "auth-password-reset");
    assert_eq!(resetter.queries(ItemKind::Sessions).await, "allowed");
    assert_eq!(resetter.queries(ItemKind::Passwords).await, DENIED);
    let scan = resetter.client.scan().table_name(resetter.table(ItemKind::Sessions));
    assert_eq!(what(scan.send().await), DENIED, "no action without a key");
    let leaver = Role::of(&who, "auth-sign-out");
    assert_eq!(leaver.deletes_session_and_puts(None).await, "allowed");
    assert_eq!(leaver.deletes_session_and_puts(Some(ItemKind::Outbox)).await, DENIED, "one of a transaction");
    let statement = format!("SELECT * FROM \"{}\"", reader.table(ItemKind::Users));
    assert_eq!(what(reader.client.execute_statement().statement(statement).send().await), DENIED);
}

#[tokio::test]
async fn a_region_keeps_only_its_own_unconfirmed_claims() {
    let app = App::start().await;
    let reaper = as_function(&app, Region::Eu, "reap-claims", Region::AUTHORITY);
    let of = async |region: Region| {
        let request = reaper.query().table_name("account-directory").key_condition_expression("pk = :pk");
        let partition = text(ItemKind::PendingClaims.partition(region));
        what(request.expression_attribute_values(":pk", partition).send().await)
    };
    assert_eq!(of(Region::Eu).await, "allowed");
    assert_eq!(of(Region::Ap).await, DENIED);
}

#[tokio::test]
async fn the_regions_key_opens_nothing_but_data_keys_for_a_function() {
    let app = App::start().await;
    let home = app.home();
    let endpoint = lambda::AwsEndpoint {
        url: Some(app.aws_endpoint().to_owned()),
        credentials: local::credentials(home, "onboarding"),
    };
    let sdk = lambda::patient_sdk_config(home.aws(), &endpoint, &lambda::HttpClient::new().unwrap());
    let client = aws_sdk_kms::Client::new(&sdk);
    let made = async |region: Region, purpose: &str| {
        let request = client.generate_data_key_without_plaintext().key_id(format!("alias/account-{home}"));
        let request = request.key_spec(aws_sdk_kms::types::DataKeySpec::Aes256);
        let request =
            request.encryption_context("workspace", "ws").encryption_context("region", region.as_str());
        what(request.encryption_context("purpose", purpose).send().await)
    };
    let elsewhere = Region::ALL.into_iter().find(|region| *region != home).unwrap();
    assert_eq!(made(home, keys::PURPOSE).await, "allowed");
    assert_eq!(made(home, "something else").await, DENIED);
    assert_eq!(made(elsewhere, keys::PURPOSE).await, DENIED);
}
