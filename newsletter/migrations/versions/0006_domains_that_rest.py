"""Domains that rest, and room on PostgreSQL's pages for what is written once"""

from alembic import op
import sqlalchemy as sa


revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('rests',
    sa.Column('domain', sa.String(length=255), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('seconds', sa.Integer(), nullable=False),
    sa.Column('why', sa.String(length=500), nullable=False),
    sa.PrimaryKeyConstraint('domain', name=op.f('pk_rests'))
    )
    if op.get_bind().dialect.name == 'postgresql':
        # An outcome then finds room beside its row, and no index is touched.
        op.execute('ALTER TABLE deliveries SET (fillfactor = 60)')


def downgrade() -> None:
    op.drop_table('rests')
