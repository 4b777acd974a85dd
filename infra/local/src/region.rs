//! One region: its stand-ins, its functions, and the deliveries between them.

use std::sync::Arc;

use domain::region::Region;
use kit::Clock;
use lambda::{Boot, Config, Endpoint, OsEntropy};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    Options, StartError,
    clock::LocalClock,
    delivery,
    functions::{Functions, credentials},
    gateway::Routes,
    provision,
};

/// A running region.
pub struct RunningRegion {
    /// Which.
    pub region: Region,
    /// Its stand-ins.
    pub aws: aws::Aws,
    /// Its functions.
    pub functions: Arc<Functions>,
    /// Its routes.
    pub routes: Routes,
    stop: watch::Sender<bool>,
    deliveries: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

/// What everything of a region is called.
pub fn config(region: Region) -> Config {
    Config {
        region,
        table_prefix: format!("account-{region}-"),
        secret_prefix: format!("account/{region}/"),
        kms_key: format!("alias/account-{region}"),
        event_bus: format!("account-{region}"),
        mail_from: "no-reply@account.example".to_owned(),
    }
}

impl RunningRegion {
    /// Starts a region.
    pub async fn start(
        region: Region,
        options: &Options,
        clock: Arc<LocalClock>,
        journal: Arc<aws::Journal>,
    ) -> Result<Arc<Self>, StartError> {
        let folder = options.data.join(region.as_str());
        let bus = Arc::new(
            delivery::LocalBus::open(folder.join("bus"))
                .map_err(|error| StartError::Data { folder: folder.clone(), reason: error.to_string() })?,
        );
        let now = Arc::clone(&clock);
        let stand_ins = aws::start(aws::Config {
            region: region.aws().to_owned(),
            folder: folder.clone(),
            now: Arc::new(move || now.now()),
            external: options.aws.clone(),
            journal,
            bus: bus.clone(),
        })
        .await?;
        let (config, http) = (config(region), lambda::http_client());
        let endpoint = |name: &str| Endpoint {
            url: Some(stand_ins.endpoint().to_owned()),
            credentials: credentials(name),
        };
        provision::provision(&config, &endpoint("provision"), http.clone())
            .await
            .map_err(StartError::Provision)?;
        let functions = Arc::new(Functions::mount(|id| {
            Boot::new(config.clone(), &endpoint(id), http.clone(), clock.clone(), Arc::new(OsEntropy))
        }));
        let (stop, stopping) = watch::channel(false);
        let stream = delivery::Stream {
            client: delivery::stream_client(region, &endpoint("event-source"), http),
            table: store::table::Table::Operations.name(&config.table_prefix),
            position: folder.join("stream-position.json"),
            writes: stand_ins.writes(),
        };
        let deliveries = vec![
            tokio::spawn(delivery::deliver_stream(stream, Arc::clone(&functions), stopping.clone())),
            tokio::spawn(delivery::deliver_bus(bus, Arc::clone(&functions), stopping)),
        ];
        let routes = Routes::new(functions.routes());
        let deliveries = std::sync::Mutex::new(deliveries);
        Ok(Arc::new(Self { region, aws: stand_ins, functions, routes, stop, deliveries }))
    }

    /// Stops the deliveries, then, if nobody else holds on to it, the stand-ins.
    pub async fn stop(self: Arc<Self>) {
        let _ = self.stop.send(true);
        let deliveries =
            std::mem::take(&mut *self.deliveries.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for delivery in deliveries {
            let _ = delivery.await;
        }
        if let Some(region) = Arc::into_inner(self) {
            region.aws.stop().await;
        }
    }
}
