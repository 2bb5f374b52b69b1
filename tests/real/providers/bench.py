"""The environment of the scenarios with foreign providers: the providers, the strict STS, and homes that use them."""

import json

from bench import Bench


class ForeignBench(Bench):
    kinds = ()  # the classes of the providers to start

    def start_servers(self):
        self.foreign = [kind(self) for kind in self.kinds]
        # The slowest first, so that it starts while the others are set up.
        for provider in reversed(self.foreign):
            provider.start()
        self.sts = self.start_sts()

    @property
    def providers(self):
        return self.foreign

    @property
    def trust(self):
        return {provider.address: [provider.client, *provider.other_clients] for provider in self.foreign}

    def reset_faults(self):
        self.reset_sts()

    def start_sts(self):
        sts = super().start_sts()
        self.sts = sts
        self.reset_sts()
        return sts

    def foreign_home(self, provider, name, person=(), **settings):
        """A user's machine that is set up for this provider, and the user who knows its pages."""
        pages = provider.folder / "pages.json"
        pages.write_text(json.dumps(provider.pages))
        settings = {"client_id": provider.client, "redirect_ports": provider.ports, **provider.settings, **settings}
        return self.home(f"{provider.name}-{name}", provider, ["--pages", str(pages), *person], **settings)
