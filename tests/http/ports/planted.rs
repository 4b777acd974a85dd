//! An account, and all that it can have.

use std::collections::BTreeMap;

use domain::{
    activity::Watermark,
    deletion::{Deletion, DeletionScope, StepsDone},
    domain_events::{DomainEvent, Message},
    email::EmailAddress,
    follow::FollowedHash,
    id::{JobId, ResetId, UserId},
    invitation::Invitation,
    job::Status,
    mail_block::{BlockReason, MailBlock},
    password_reset::{Asked, LastReset},
    permissions::{
        DeletesForGood, Member, may_act_on, may_delete_account, may_keep_inbox, may_make_keys,
        may_manage_billing,
    },
    ports::{
        AddressSaved, All, ApiKeys, Closed, Closing, Connected, ConnectedBy, Connections, CopyKept,
        Deletions, Exports, Followed, Follows, Founded, History, Invitations, MailBlocks, Marking,
        NewAccount, NewPassword, Opened, PasswordResets, Replaces, Saved, Sessions, SignUps, Started,
        TeamsElsewhere, TransactionExtras, UserAddresses, Workspaces,
    },
    provider::{Connection, IdentityHash, Provider},
    region::Region,
    resource::ResourceId,
    role::Role,
    secret::Digest256,
    source::Source,
    user::EmailHash,
    user_addresses::{AddressBook, NewAddress},
    workspace::Workspace,
};
use lambda::OsEntropy;
use store::Store;
use tests::App;

use super::{
    account_of, at, event,
    exports::{ended, export_of, proof_of},
    hash_of, id,
    inventory::let_in,
    password, payments, profile, session_of, sign_up,
    stock::Stock,
    store, teams_elsewhere, wallets, with_all, with_event, workspace_of,
    workspaces::key_in,
};

/// An account with a workspace.
pub struct Planted {
    pub stock: Stock,
    pub account: NewAccount,
    pub workspace: Workspace,
    pub name: &'static str,
}

pub fn message(notice: DomainEvent) -> TransactionExtras {
    TransactionExtras {
        messages: vec![Message { id: id(), at: at(0), notice }],
        ..TransactionExtras::default()
    }
}

/// The deletion of a workspace that a user asks for.
pub fn deletion_of(account: &NewAccount, workspace: &Workspace, scope: DeletionScope) -> Deletion {
    let of_account = scope == DeletionScope::Account;
    Deletion {
        id: JobId::new(at(0), &OsEntropy),
        scope,
        user: account.user.id,
        requester_home: None,
        session: of_account.then_some(account.session.id),
        workspace: workspace.id,
        region: Region::Us,
        handle: Some(workspace.handle.clone()),
        address: of_account.then_some(account.sign_up.email_hash),
        addresses: Vec::new(),
        receipt_to: Some(account.user.primary_email.clone()),
        status: Status::Queued,
        created_at: at(0),
        ended_at: None,
        looks_again: false,
        steps_done: StepsDone::default(),
        handed_over_until: None,
        counted: None,
        referral_kept_until: None,
        counts: BTreeMap::new(),
        version: 1,
    }
}

impl Planted {
    pub async fn new(app: &App, name: &'static str, handle: &str) -> Self {
        let (store, waiting) = (store(app), sign_up(name));
        let notice = DomainEvent::SignUpStarted { address: hash_of(name), attempt: waiting.attempts[0].id };
        SignUps::save(&store, &waiting, message(notice)).await.unwrap();
        let account = account_of(&waiting);
        let notice =
            DomainEvent::AccountOpened { user: account.user.id, address: hash_of(name), identity: None };
        assert_eq!(store.open_account(&account, message(notice)).await.unwrap(), Opened::Yes);
        let block = MailBlock { address: hash_of(name), reason: BlockReason::Complaint, at: at(0) };
        MailBlocks::put(&store, &block).await.unwrap();
        let workspace = workspace_of(account.user.id, handle);
        let line = event(workspace.id, 1);
        assert_eq!(
            store.open(&workspace, &profile("somebody"), None, None, with_all(&line, handle)).await.unwrap(),
            Founded::Yes
        );
        Self { stock: Stock::of(app, &workspace), account, workspace, name }
    }

    /// The same with some of everything in it.
    pub async fn full(app: &App, name: &'static str, handle: &str) -> Self {
        let planted = Self::new(app, name, handle).await;
        planted.fill_account(app).await;
        planted.fill_workspace(app).await;
        planted
    }

    pub fn store(&self) -> &Store {
        &self.stock.store
    }

    pub fn user(&self) -> UserId {
        self.account.user.id
    }

    pub fn proof(&self) -> DeletesForGood {
        may_delete_account(&self.account.session, at(0)).unwrap()
    }

    pub fn deletion(&self) -> Deletion {
        let deletion = deletion_of(&self.account, &self.workspace, DeletionScope::Account);
        Deletion { addresses: vec![self.second_address()], ..deletion }
    }

    pub async fn close_as(&self, deletion: &Deletion) -> Closed {
        let (user, workspace) = (Some(&self.account.user), Some(&self.workspace));
        let closing = Closing { deletion, user, workspace };
        self.store().close(&self.proof(), &closing, TransactionExtras::default()).await.unwrap()
    }

    pub async fn close(&self) -> Deletion {
        let deletion = self.deletion();
        assert_eq!(self.close_as(&deletion).await, Closed::Yes);
        deletion
    }

    /// The address that is added to a full account.
    pub fn second_address(&self) -> EmailHash {
        hash_of(&format!("{}-2", self.name))
    }

    /// An invitation of somebody with this name to the workspace.
    fn invitation(&self, name: &str) -> Invitation {
        Invitation {
            id: id(),
            team: self.workspace.id,
            email: EmailAddress::parse(&format!("{name}@people.example")).unwrap(),
            address: hash_of(name),
            role: Role::Viewer,
            invited_by: self.user(),
            created_at: at(0),
            sent_at: at(0),
            secret: Digest256::of("secret"),
            version: 1,
        }
    }

    /// A verified address and one that waits.
    async fn add_addresses(&self) {
        let (store, none) = (self.store(), TransactionExtras::default);
        let stored = UserAddresses::find(store, self.user()).await.unwrap().unwrap();
        let mut book = AddressBook::new(stored, hash_of(self.name));
        for (n, hash) in [(2, self.second_address()), (3, hash_of(&format!("{}-3", self.name)))] {
            let email = EmailAddress::parse(&format!("{}-{n}@people.example", self.name)).unwrap();
            let new = NewAddress { id: id(), email, hash, attempt: id() };
            let (address, attempt) = (new.id, new.attempt);
            book.pending = book.add(new, at(0)).unwrap();
            let saved = store.save_pending(&book.pending, book.verified.version, none()).await.unwrap();
            assert_eq!(saved, Saved::Yes);
            if n == 2 {
                let verification = book.verify(address, attempt, at(1)).unwrap();
                assert_eq!(store.verify(&verification, none()).await.unwrap(), AddressSaved::Yes);
                (book.verified, book.pending) = (verification.verified, verification.pending);
            }
        }
    }

    /// Sessions, addresses, exports, requests, and memberships.
    pub async fn fill_account(&self, app: &App) {
        let (store, user, address) = (self.store(), self.user(), hash_of(self.name));
        for provider in Provider::ALL {
            let identity = IdentityHash(Digest256::of(format!("{}-{provider}", self.name)));
            let connection = Connection { user, provider, identity, connected_at: at(0) };
            let connected =
                store.connect(&connection, ConnectedBy::User, TransactionExtras::default()).await.unwrap();
            assert_eq!(connected, Connected::Yes);
        }
        self.add_addresses().await;
        for _ in 0..4 {
            let notice = message(DomainEvent::PasswordChanged { user });
            store.begin(&session_of(user), None, notice).await.unwrap();
        }
        let reset = ResetId::new(at(0), &OsEntropy);
        let asked = Asked::never(address).again(Source(Digest256::of("home")), reset, at(0)).unwrap();
        store.ask(&asked, message(DomainEvent::PasswordForgotten { address, reset })).await.unwrap();
        let new = NewPassword {
            user,
            password: password("first"),
            by: LastReset { id: reset, at: at(1) },
            replaces: Replaces::AfterToken(None),
            sessions: Vec::new(),
            throttles: vec![self.name.to_owned()],
        };
        assert_eq!(store.set(&new, TransactionExtras::default()).await.unwrap(), Saved::Yes);
        for second in 0..2 {
            let export = export_of(user, second);
            let proof = proof_of(user);
            assert_eq!(
                store.start(&proof, &export, TransactionExtras::default()).await.unwrap(),
                Started::Yes
            );
            if second == 0 {
                Exports::replace(store, &export, &ended(&export, 5), TransactionExtras::default())
                    .await
                    .unwrap();
            }
        }
        for _ in 0..4 {
            let_in(app, id(), user, Role::Editor).await;
            let copy = teams_elsewhere::copy(user, id(), (0, 0, Some(Role::Viewer)));
            assert_eq!(store.keep_copy(&copy).await.unwrap(), CopyKept::Yes);
            let account = FollowedHash::of(id());
            let followed = store.follow(user, account, at(0), TransactionExtras::default()).await.unwrap();
            assert_eq!(followed, Followed::Yes);
        }
    }

    /// Keys, things live and in the trash and being removed, files, marks, members, and a wallet.
    pub async fn fill_workspace(&self, app: &App) {
        let (store, stock) = (self.store(), &self.stock);
        let member = super::member(&self.workspace, Role::Owner);
        let mut lines = Vec::new();
        for second in 0..4 {
            let (key, holder) = key_in(&self.workspace, second);
            let line = event(self.workspace.id, second);
            let proof = may_make_keys(&member).unwrap();
            ApiKeys::create(store, &proof, &key, &holder, with_event(&line)).await.unwrap();
            lines.push(line.id);
        }
        for n in 0..4 {
            let invitation = self.invitation(&format!("{}-guest{n}", self.name));
            let proof = may_act_on(&member, &[invitation.role]).unwrap();
            let invited = Invitations::create(store, &proof, &invitation, None, TransactionExtras::default());
            assert_eq!(invited.await.unwrap(), Saved::Yes);
        }
        let (project, gone) = (stock.project(1, "p").await, stock.project(2, "gone").await);
        for (n, parent) in [None, Some(&project), Some(&gone)].into_iter().enumerate() {
            let model = stock.model(3, &format!("m{n}"), parent).await;
            stock.file(model.id, 7, 4).await;
        }
        let mut datasets: Vec<ResourceId> = Vec::new();
        for n in 0..3 {
            let dataset = stock.dataset(5, &format!("d{n}")).await;
            stock.file(dataset.id, 7, 6).await;
            stock.file(dataset.id, 8, 7).await;
            datasets.push(dataset.id);
        }
        stock.begun(datasets[0], 9, 8).await;
        stock.put(gone.id, 10).await;
        stock.put(datasets[1], 11).await;
        let removed = stock.put(datasets[2], 12).await;
        assert_eq!(stock.remove(&stock.removes(&removed).await, &removed, 13).await, Saved::Yes);
        let proof = may_keep_inbox(&member);
        store.mark(&proof, &[(lines[0], Marking::Seen)]).await.unwrap();
        store.mark_all(&proof, All::Seen, Watermark { up_to: lines[3], at: at(20) }).await.unwrap();
        for _ in 0..4 {
            let_in(app, self.workspace.id, id(), Role::Viewer).await;
        }
        self.fill_wallet().await;
        self.fill_payments(&member).await;
    }

    /// A wallet with several postings and causes, with a debt.
    async fn fill_wallet(&self) {
        for second in 21..25 {
            let mut booking = wallets::booking(self.store(), &self.workspace, second).await;
            booking.settle(wallets::settlement(&format!("job-{second}"), second)).unwrap();
            assert_eq!(wallets::save(self.store(), booking).await, Saved::Yes);
        }
    }

    /// A customer, and several payments.
    async fn fill_payments(&self, owner: &Member) {
        let (store, id) = (self.store(), self.workspace.id);
        let proof = may_manage_billing(owner).unwrap();
        let account = payments::account_of(&self.workspace);
        let opened = domain::ports::PaymentRecords::open_account(store, &proof, &account).await.unwrap();
        assert_eq!(opened, Saved::Yes);
        for n in 1..=4 {
            let payment = payments::payment(id, &format!("pi_{n}"));
            assert_eq!(payments::save(store, &payment, None).await, Saved::Yes);
        }
    }

    /// What a request that was let in before may write after the end: the person, and a workspace with another handle.
    pub async fn write_late(&self, handle: &str) {
        SignUps::save(self.store(), &self.account.sign_up, TransactionExtras::default()).await.unwrap();
        let none = TransactionExtras::default;
        let again = NewAccount { user: self.account.user.clone(), ..account_of(&self.account.sign_up) };
        let again = NewAccount { session: session_of(self.user()), ..again };
        assert_eq!(self.store().open_account(&again, none()).await.unwrap(), Opened::Yes);
        let late = workspace_of(self.user(), handle);
        assert_eq!(
            self.store().open(&late, &profile("somebody"), None, None, none()).await.unwrap(),
            Founded::Yes
        );
    }
}
