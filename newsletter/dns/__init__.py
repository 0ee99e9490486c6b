"""DNS checks of domains: SPF, DKIM, DMARC and MX. Knows no database; asks a `Resolver`."""
