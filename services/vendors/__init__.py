"""Made-up vendors: servers that hold state as Mailchimp, HubSpot and others do, with faults to order."""
